"""The gate: recursive, first come first served, and a place to sleep."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from contextlib import ExitStack

import pytest
from helpers import DEADLINE_S, Background, Stage

from uio_workloop import Deadline, Gate, GateBusyError, GateNotHeldError, WaitResult
from uio_workloop.loop.gate_lock import GATE


@pytest.fixture
def gate() -> Gate:
    return Gate()


def hold(gate: Gate, stage: Stage) -> None:
    with gate:
        stage.hold()


def enter(gate: Gate) -> None:
    with gate:
        pass


def sleep_on(gate: Gate, token: str, asleep: threading.Semaphore, deadline: Deadline | None = None) -> WaitResult:
    with gate:
        asleep.release()  # whoever takes the gate after this finds us asleep
        return gate.sleep(token, deadline)


def wait_for_waiters(gate: Gate, n: int) -> None:
    """Until `n` threads queue for the gate: observed, not guessed."""
    deadline = Deadline.after(int(DEADLINE_S * 1e9))
    while len(gate.waiting) < n:
        assert not deadline.expired, f"{len(gate.waiting)} threads queue, {n} were expected"
        os.sched_yield()


def test_a_holder_passes_again_and_lets_go_only_at_the_outermost_exit(gate):
    with gate:
        with gate:
            pass
        with pytest.raises(GateBusyError):
            Background(lambda: gate.attempt().__enter__()).result()
    Background(enter, gate).result()


def test_held_is_about_the_calling_thread(gate):
    with gate:
        assert gate.held
        assert Background(lambda: gate.held).result() is False
    assert not gate.held


@pytest.mark.statement(40)
def test_letting_go_of_a_gate_of_somebody_else_is_refused_and_leaves_the_holder_alone(gate):
    stage = Stage()
    holder = Background(hold, gate, stage)
    stage.await_reached()

    with pytest.raises(GateNotHeldError, match="opening the gate needs the gate"):
        gate.__exit__()
    with pytest.raises(GateBusyError), gate.attempt():
        pass

    stage.release()
    holder.result()


def test_waiters_get_the_gate_in_the_order_of_asking(gate):
    order: list[int] = []

    def enter_as(number: int) -> None:
        with gate:
            order.append(number)

    waiters = []
    with gate:
        for number in range(5):
            waiters.append(Background(enter_as, number))
            wait_for_waiters(gate, number + 1)
    for waiter in waiters:
        waiter.result()

    assert order == [0, 1, 2, 3, 4]


def test_a_client_that_hammers_the_gate_does_not_starve_another(gate):
    stop = threading.Event()

    def hammer() -> int:
        turns = 0
        while not stop.is_set():
            with gate:
                turns += 1
        return turns

    hammers = [Background(hammer) for _ in range(2)]
    for _ in range(200):
        enter(gate)
    stop.set()

    assert all(each.result() > 0 for each in hammers)


def test_no_two_threads_are_ever_inside_at_once(gate):
    inside = 0
    worst = 0

    def visit() -> None:
        nonlocal inside, worst
        for _ in range(2000):
            with gate:
                inside += 1
                worst = max(worst, inside)
                inside -= 1

    visitors = [Background(visit) for _ in range(4)]
    for visitor in visitors:
        visitor.result()

    assert worst == 1


@pytest.mark.statement(85)
def test_a_sleeper_goes_on_only_after_the_waker_let_go(gate):
    asleep = threading.Semaphore(0)
    sleeper = Background(sleep_on, gate, "token", asleep)
    assert asleep.acquire(timeout=DEADLINE_S)

    with gate:
        gate.wakeup("token")
        wait_for_waiters(gate, 1)
        assert not sleeper.finished

    assert sleeper.result() is WaitResult.AWAKENED


@pytest.mark.statement(88)
@pytest.mark.parametrize(("one", "woken"), [(True, 1), (False, 3)])
def test_a_wakeup_reaches_one_or_all(gate, one, woken):
    asleep = threading.Semaphore(0)
    sleepers = [Background(sleep_on, gate, "token", asleep) for _ in range(3)]
    for _ in sleepers:
        assert asleep.acquire(timeout=DEADLINE_S)

    assert gate.wakeup("token", one=one) == woken
    gate.wakeup("token")

    assert [sleeper.result() for sleeper in sleepers] == [WaitResult.AWAKENED] * 3


@pytest.mark.statement(89)
def test_a_wakeup_with_nobody_asleep_is_not_remembered(gate):
    assert gate.wakeup("token") == 0

    with gate:
        assert gate.sleep("token", Deadline.after(1_000_000)) is WaitResult.TIMED_OUT


def test_a_wakeup_of_another_token_is_not_heard(gate):
    asleep = threading.Semaphore(0)
    sleeper = Background(sleep_on, gate, "mine", asleep)
    assert asleep.acquire(timeout=DEADLINE_S)

    assert gate.wakeup("other") == 0
    assert gate.wakeup("mine") == 1
    assert sleeper.result() is WaitResult.AWAKENED


@pytest.mark.statement(90)
def test_a_sleep_times_out_not_before_its_deadline_and_holds_the_gate_again(gate):
    deadline = Deadline.after(5_000_000)
    with gate:
        assert gate.sleep("token", deadline) is WaitResult.TIMED_OUT
        assert deadline.expired
        assert gate.held


@pytest.mark.statement(90)
def test_a_deadline_beyond_what_a_lock_can_wait_for_is_simply_far_away(gate):
    def sleep():
        with gate:
            return gate.sleep("token", Deadline.after(2**70))

    sleeper = Background(sleep)
    while not gate.wakeup("token"):
        os.sched_yield()
    assert sleeper.result() is WaitResult.AWAKENED


def test_a_deadline_in_the_past_still_gives_the_gate_up_once(gate):
    with gate:
        waiter = Background(enter, gate)
        wait_for_waiters(gate, 1)
        assert gate.sleep("token", Deadline(1)) is WaitResult.TIMED_OUT
        waiter.result()  # it got in while we slept


def test_interrupting_wakes_every_sleeper_and_says_so(gate):
    asleep = threading.Semaphore(0)
    sleepers = [Background(sleep_on, gate, token, asleep) for token in ("a", "b")]
    for _ in sleepers:
        assert asleep.acquire(timeout=DEADLINE_S)

    gate.interrupt_sleepers()

    assert [sleeper.result() for sleeper in sleepers] == [WaitResult.INTERRUPTED] * 2


@pytest.mark.statement(83)
def test_sleeping_without_the_gate_is_refused(gate):
    with pytest.raises(GateNotHeldError, match="sleeping on 'token' needs the gate"):
        gate.sleep("token")


@pytest.mark.parametrize("depth", [1, 3])
def test_stepping_outside_gives_every_level_up_and_takes_every_level_back(gate, depth):
    def outside(word):
        assert not gate.held
        Background(enter, gate).result()
        return word

    with ExitStack() as held:
        for _ in range(depth):
            held.enter_context(gate)
        assert gate.call_outside(outside, "result") == "result"
        assert (gate.held, gate.depth) == (True, depth)
    assert not gate.held


def test_what_is_raised_outside_comes_out_with_the_gate_held_again(gate):
    with gate:
        with pytest.raises(ZeroDivisionError):
            gate.call_outside(divmod, 1, 0)
        assert gate.held


def test_stepping_outside_without_the_gate_is_refused(gate):
    with pytest.raises(GateNotHeldError, match="stepping outside needs the gate"):
        gate.call_outside(print)


def test_a_waiter_interrupted_while_queueing_leaves_the_gate_usable(gate):
    """KeyboardInterrupt in the main thread; what is raised here comes from a signal handler, as that does."""
    stage = Stage()
    holder = Background(hold, gate, stage)
    stage.await_reached()

    class ImpatienceError(Exception):
        pass

    def interrupt(number, frame):
        raise ImpatienceError

    heard = threading.Event()

    def poke() -> None:
        wait_for_waiters(gate, 1)
        while not heard.wait(0.05):  # one that comes just before the waiter sleeps is handled when it wakes
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    had = signal.signal(signal.SIGUSR1, interrupt)
    try:
        poker = Background(poke)
        with pytest.raises(ImpatienceError):
            enter(gate)
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one more may be on its way
        heard.set()
        poker.result()
        signal.signal(signal.SIGUSR1, had)

    assert not gate.waiting
    stage.release()
    holder.result()
    Background(enter, gate).result()


class HaltingQueue(deque):
    """Halts whoever takes a ticket out, with the ticket in his hand."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def popleft(self):
        ticket = super().popleft()
        self._stage.hold()
        return ticket


def test_a_wait_whose_deadline_passes_while_the_gate_is_being_given_to_it_has_it(gate):
    holding, giving = Stage(), Stage()
    gate.waiting = HaltingQueue(giving)
    holder = Background(hold, gate, holding)
    holding.await_reached()
    deadline = Deadline.after(500_000_000)

    def wait_for_it() -> bool:
        with gate.within(deadline):
            return gate.held

    client = Background(wait_for_it)
    wait_for_waiters(gate, 1)
    holding.release()
    giving.await_reached()
    some_time_after = Deadline(deadline.at_ns + 50_000_000)
    while not client.finished and not some_time_after.expired:  # whoever does not wait any more goes wrong now
        os.sched_yield()
    giving.release()

    assert client.result() is True
    holder.result()


def test_a_thread_that_is_given_the_gate_just_as_it_has_queued_keeps_it(gate):
    stage, queueing = Stage(), Stage()

    class HaltingAppend(deque):
        """Halts whoever has just queued, before he looks once more."""

        def append(self, ticket):
            super().append(ticket)
            queueing.hold()

    gate.waiting = HaltingAppend()
    holder = Background(hold, gate, stage)
    stage.await_reached()

    def take() -> bool:
        with gate:
            return gate.held

    client = Background(take)
    queueing.await_reached()
    stage.release()
    holder.result()  # the gate is the client's now
    queueing.release()

    assert client.result() is True
    with gate.attempt():
        pass


def test_a_call_in_a_signal_handler_leaves_the_gate_to_the_frame_that_it_interrupted():
    gate = Gate()
    gate._holder[GATE] = threading.get_ident()  # that frame has taken the gate, and not yet entered
    seen = []

    gate.call(lambda: seen.append(gate.depth), (), {})

    assert (seen, gate.depth, gate.held) == ([1], 0, True)


class InterruptedHolder(dict):
    """Ctrl-C comes just as the gate was taken."""

    def setdefault(self, key, thread):
        super().setdefault(key, thread)
        raise KeyboardInterrupt


def under(scope):
    with scope:
        pytest.fail("not reached")


@pytest.mark.parametrize("way", ["call", "with", "own"])
def test_an_interrupt_just_as_the_gate_was_taken_lets_go_of_it(gate, way):
    gate._holder = InterruptedHolder()
    ways = {
        "call": lambda: gate.call(pytest.fail, (), {}),
        "with": lambda: under(gate),
        "own": lambda: under(gate.own),
    }
    with pytest.raises(KeyboardInterrupt):
        ways[way]()
    assert (gate.held, gate.depth, len(gate._holder)) == (False, 0, 0)
