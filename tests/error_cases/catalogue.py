"""Every case, by the heading of its table on the page; those that need the lab's devices apart."""

from __future__ import annotations

from error_cases import commands, drivers, lab, loops, names, qnx, qnx_lab, realtime, registers
from error_cases.case import Case

HERE: dict[str, list[Case]] = {
    **names.CASES,
    **registers.CASES,
    **drivers.CASES,
    **commands.CASES,
    **loops.CASES,
    **qnx.CASES,
    **realtime.CASES,
}
IN_LAB: dict[str, list[Case]] = {**lab.CASES, **qnx_lab.CASES}
ALL = {heading: HERE.get(heading, []) + IN_LAB.get(heading, []) for heading in dict.fromkeys([*HERE, *IN_LAB])}
FOR_HERE = [case for cases in HERE.values() for case in cases]
FOR_LAB = [case for cases in IN_LAB.values() for case in cases]
