"""Everything that can go wrong, each with the line that does it: what docs/errors.md is made of.

PYTHONPATH=tests python -m error_cases        writes the sentences of today into the page, those of the lab too
"""
