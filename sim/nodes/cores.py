"""All cores of a world as one process, which wakes when one is due and does what is not compiled of their work."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from simpy.events import Event

from models.compiled import sequence
from models.cores.schedule import advance
from models.cores.time import spend_until
from models.cores.words import (
    CLOCK,
    CORE_WORDS,
    DUE,
    FIRST_CARD,
    HOST,
    NOW,
    ONE_BY_ONE,
    POLLS,
    READER,
    RECORDED,
    REST,
    RETURN,
    RING_TIMERS,
    RUNS,
    SHORT_PORT,
    TIMERS_IN_POLLS,
    UNTIL,
    WORLD_WORDS,
)
from models.cpu.costs import work_ps
from models.host.sockets import HOST_WORDS, TIMER_PS
from models.nic.words import AT_PORT, GROW, GROW_SOCKETS, HZ, NO_ROOM, TELL, WORDS
from models.queue import Ports
from models.train import ABSENT, Ints
from models.units import NEVER, PS_PER_MS
from sim.clock import Alarm, Clock
from sim.nodes.napi import Napi
from sim.nodes.port import Port
from sim.nodes.stack import Stack

_AT_ONCE_PS = PS_PER_MS  # so that an interrupt from the keyboard is heard


class Cores:
    """`words` int64[cores, CORE_WORDS], `cards` int64[cards, len(WORDS)] and `hosts` int64[hosts, HOST_WORDS] are one
    row each; `one_by_one`: no core runs ahead of another. The results are the same."""

    def __init__(self, clock: Clock, *, cores: int, cards: int, hosts: int, line_ends: Ports, one_by_one: bool) -> None:
        self._clock = clock
        self._line_ends = line_ends
        self.words: Ints = np.zeros((cores, CORE_WORDS), np.int64)
        self.cards: Ints = np.zeros((cards, len(WORDS)), np.int64)
        self.hosts: Ints = np.zeros((hosts, HOST_WORDS), np.int64)
        self._world: Ints = np.zeros(WORLD_WORDS, np.int64)
        self._world[[RUNS, SHORT_PORT, ONE_BY_ONE]] = ABSENT, ABSENT, one_by_one
        self._napis: list[Napi] = []
        self._ports: list[Port] = []
        self._desks: Any = []
        self._generations: list[tuple[int, int]] = []
        self._alarm: Alarm | None = None
        self._runs = False

    def start(self) -> None:
        """When all else has its alarm: of what happens at one instant, cores act last."""
        self._alarm = self._clock.alarm()
        self._clock.env.process(self._run(self._alarm))

    def serve(self, napi: Napi) -> None:
        """The polls of the next card."""
        self._napis.append(napi)
        napi.nic.on_arrival = self.look_again

    def add(self, port: Port) -> None:
        """The next port."""
        self._ports.append(port)

    def look_again(self) -> None:
        """Something may be due earlier than was known."""
        if self._alarm is not None and not self._runs:
            self._alarm.set(self._clock.now_ps)

    def _run(self, alarm: Alarm) -> Generator[Event, None, None]:
        alarm.set(0)
        while True:
            yield alarm.ring()
            self._runs = True
            self._go_on()
            self._runs = False
            due_ps = int(self._world[DUE])
            alarm.set(None if due_ps == NEVER else max(due_ps, self._clock.now_ps))

    def _go_on(self) -> None:
        """Let the cores act until somebody else does."""
        world = self._world
        world[CLOCK] = now_ps = self._clock.now_ps
        if not self._napis:
            world[DUE] = NEVER
            return
        while True:
            peek_ps = self._clock.env.peek()
            world[UNTIL] = min(peek_ps, now_ps + _AT_ONCE_PS)
            self._lay_desks()
            status = advance(world, self.words, self.cards, self.hosts, self._desks)
            for port in self._ports:
                port.tell()
            if status == REST:
                return
            if status != TELL:
                self._attend(status)

    def _lay_desks(self) -> None:
        """Every card's desk, if an array on it has become another."""
        generations = [napi.generation for napi in self._napis]
        if generations == self._generations:
            return
        width = max(napi.width for napi in self._napis)
        self._napis[0].nic.memory.widen(width)
        desks = [napi.desk() for napi in self._napis]
        self._desks = sequence(desks)
        self._generations = [napi.generation for napi in self._napis]

    def _attend(self, status: int) -> None:
        world = self._world
        if status == NO_ROOM and world[SHORT_PORT] != ABSENT:
            self._line_ends.make_room(int(world[SHORT_PORT]))
            world[SHORT_PORT] = ABSENT
            return
        core = self.words[world[RUNS]]
        card = int(core[FIRST_CARD] if core[POLLS] == ABSENT else core[POLLS])
        napi = self._napis[card]
        stack, words = napi.stack, self.cards[card]
        if status == NO_ROOM:
            self._line_ends.make_room(int(words[AT_PORT]))
        elif status == GROW:
            self._generations.clear()
        elif status == GROW_SOCKETS:
            stack.sockets.endpoints.grow(int(words[AT_PORT]))
        elif status == RECORDED:
            napi.recorded()
        elif status == RING_TIMERS:
            self._ring_timers(core, stack)
        elif status == RETURN:
            stack.finish_reading(int(core[READER]), int(core[NOW]))
        else:
            napi.attend(status)

    def _ring_timers(self, core: Ints, stack: Stack) -> None:
        """Whether a timer is due was not sure; another one may be the next."""
        now_ps, first_ps = int(core[NOW]), stack.first_timer_ps()
        self.hosts[core[HOST], TIMER_PS] = first_ps
        if first_ps <= now_ps:
            core[TIMERS_IN_POLLS] += first_ps < now_ps
            cost = stack.run_timers(now_ps)
            spend_until(core, now_ps + work_ps(cost, int(self.cards[core[FIRST_CARD], HZ])))
