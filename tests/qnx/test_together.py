"""Everything at once, on several threads."""

from __future__ import annotations

import random
import threading

from helpers import DEADLINE_S, attach
from qnx_rig import DEADLINE_NS, await_end

from uio_workloop import SoftwareInterrupt, Trigger
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevPulse,
    WaitFlags,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_mask,
    interrupt_unmask,
    interrupt_wait,
)


def test_threads_that_attach_fire_mask_and_detach_as_they_like_leave_nothing_behind(
    attached, lines, threads_take_turns_often
):
    """The hidden loop begins and ends many times meanwhile."""
    failures: list[BaseException] = []

    def life(seed: int) -> None:
        dice = random.Random(seed)
        try:
            for _ in range(25):
                line = dice.choice(lines)
                id = interrupt_attach_event(line, SigevIntr(), dice.choice([8, 9]))  # noqa: A001 - QNX's word
                line.cause()
                interrupt_mask(line, id)
                interrupt_unmask(line, id)
                try:
                    for fired in interrupt_wait(timeout_ns=dice.choice([0, 1_000_000])):  # also one that was left
                        interrupt_unmask(None, fired)
                except TimeoutError:
                    pass
                if dice.random() < 0.9:  # else it is left to the end of the thread
                    interrupt_detach(id)
        except BaseException as error:  # raised, or told, where the test is
            failures.append(error)

    threads = [threading.Thread(target=life, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    await_end()
    assert failures == []
    assert [line.masked for line in lines] == [True] * len(lines)


def test_a_thread_serves_two_interrupts_that_arrive_as_they_like_and_loses_none(attached, threads_take_turns_often):
    counts = {"A": 0, "B": 0}
    with SoftwareInterrupt(name="A") as a, SoftwareInterrupt(Trigger.LEVEL, name="B") as b, Channel() as channel:
        for line in (a, b):
            attached.event(line, SigevPulse(channel, value=line.name))
        ids = dict(zip("AB", attached.ids, strict=True))

        def serve() -> None:
            while True:
                name = channel.receive_pulse(DEADLINE_NS).value
                if name == "end":
                    return
                counts[name] += 1
                served[name].release()
                interrupt_unmask(None, ids[name])

        served = {"A": threading.Semaphore(0), "B": threading.Semaphore(0)}
        server = threading.Thread(target=serve)
        server.start()

        def cause(line: SoftwareInterrupt) -> None:
            for _ in range(300):
                line.cause()
                assert served[line.name].acquire(timeout=DEADLINE_S)

        causes = [threading.Thread(target=cause, args=(line,)) for line in (a, b)]
        for thread in causes:
            thread.start()
        for thread in causes:
            thread.join(DEADLINE_S)
        channel.send_pulse(1, 0, "end")
        server.join(DEADLINE_S)
        attached.detach_all()
    assert counts == {"A": 300, "B": 300}


def test_attachments_and_event_sources_of_a_work_loop_go_on_beside_each_other(rig, attached, work_loop, line, seen):
    source = attach(work_loop, line, seen)
    id = attached.event(rig.provider, SigevIntr(), IntrFlags.TRK_MSK)  # noqa: A001 - QNX's word
    for _ in range(20):
        line.cause()
        rig.cause()
        assert interrupt_wait(WaitFlags.UNMASK, DEADLINE_NS) == (id,)
        rig.acknowledge()
    seen.wait_for_total(20)
    source.close()
