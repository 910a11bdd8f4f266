"""For a driver author's tests, and our own: fixtures, fence, recorder; `lab/` boots a machine with real interrupts."""
