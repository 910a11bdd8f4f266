"""For a driver author's tests, and our own: fixtures, a fence, a recorder; `lab/` boots a machine with real interrupts."""
