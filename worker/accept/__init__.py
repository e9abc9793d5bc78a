"""Stage 1 of a job's way, accept: what may be asked for is checked, given an identity, and put in line.

Promise: what leaves this stage is complete and of the right shape; anything else is refused in one clear sentence.
Scope ends where the job is stored: pacing, sending and judging answers belong to the later stages.
"""
