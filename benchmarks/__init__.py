"""What a whole framework costs beside a hand-written loop. `make bench` runs it; NOTES.md tells what was learned."""
