"""
Tests that the server keeps the contract whatever clients send.

A table tells what is refused. In the stories, which Hypothesis makes up, nobody knows
better than the clients: whoever was there must know what a newcomer is told then, no
move may be against the rules, and an error is only for who did what isn't allowed.
What happens is the same at every run.

"""

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import app
from connect4 import ROWS, Connect4, IllegalMove
from events import DRAW, NOT_FOUND, TAKEN, other, present, won
from helpers import TIMEOUT, V2, Server, forget_all, serve, stop
from store import make_match, make_row

pytestmark = pytest.mark.slow

# What nobody may send

VALUES = [
    *("-1", "7", "03", "3.0", "3e0", "1e999", "NaN", "Infinity", "0x3", "٣", "true"),
    *("null", '"3"', '""', "[3]", "{}", '{"column": 3}', '"\\ud800"', "9" * 900),
    *("9" * 900 + "e9", "0." + "3" * 900, "[" * 400 + "]" * 400),
]

TYPES = [
    *('"play"', '"\\u0070lay"', '"rematch"', '"open"', '"init"', '"win"', '"error"'),
    *('"PLAY"', '"play "', '"play\\u0000"', '"\\ud800"', '""', "null", "3", "[]", "{}"),
]

FORMS = [
    '{"type": TYPE, "column": VALUE}',
    ' \n{"type"\t: TYPE, "player": 0, "row": 0, "column": VALUE}\r\n',
    '{"type": "ping", "type": TYPE, "column": 3, "column": VALUE, "join": "x"}',
    '{"type": TYPE}',
    '[{"type": TYPE, "column": VALUE}]',
    '{"type": TYPE, "column": VALUE',
    "\ufeff" + '{"type": TYPE, "column": VALUE}',
    "VALUE",
]

REFUSED = sorted(
    {
        form.replace("TYPE", kind).replace("VALUE", value)
        for form in FORMS
        for kind in TYPES
        for value in VALUES
    }
)


@pytest.mark.parametrize("options", [V2, {}], ids=["page", "base"])
@pytest.mark.parametrize("way", ["join", "watch"])
async def test_what_is_refused_is_answered_in_a_sentence_each(server, way, options):
    red, init = await server.start(**V2)
    client = await server.enter({way: init["code"]}, **options)
    await client.hear()
    await red.hear()
    for number, message in enumerate(REFUSED):
        size, data = [1000, 7, 300][number % 3], message.encode()
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        await client.websocket.send(pieces, text=True)
        await client.expect_error()
    await client.expect_nothing()
    await red.expect_nothing()


# A story

PLAYERS = "red", "yellow"

# Events of the base protocol that others than the sender see.
BASE = {"play", "win"}


class Guest:
    """A client at a match, and what it knows by what it was told."""

    def __init__(self, client):
        self.client = client
        self.seat = None
        self.page = client.websocket.subprotocol is not None
        self.start, self.presence = None, None
        self.past, self.errors = [], []

    def note(self, event):
        if event["type"] == "init":
            self.seat = event["player"]
        elif event["type"] == "start":
            self.start, self.past = event, []
        elif event["type"] == "presence":
            self.presence = event
        elif event["type"] == "error":
            self.errors.append(event["message"])
        elif event["type"] != "waiting":
            self.past.append(event)

    async def listen(self):
        """Note what was told meanwhile."""
        for event in await self.client.hear():
            self.note(event)


class Story:
    """A match and its guests, of whom the first is always a spectator's page."""

    def __init__(self, server):
        self.server = server
        self.guests = []
        self.keys = {}  # of seats, as far as anybody was told
        self.lost = "x" * 16  # a key that nobody has any more

    async def begin(self):
        red, init = await self.server.start(**V2)
        self.code, self.watch = init["code"], init["watch"]
        self.match = app.WATCH[self.code]
        self.keys["red"] = init["rejoin"]
        self.guests = [Guest(await self.server.watch(self.code, **V2)), Guest(red)]
        self.guests[1].seat = "red"
        await self.settle()

    async def settle(self, sender=None, allowed=True):
        """Check that all know what a newcomer is told, and who was told of an error."""
        while not (allowed or sender.errors):
            sender.note(await sender.client.receive())
        await self.until_all_are_here()
        newcomer = Guest(await self.server.watch(self.code, **V2))
        await newcomer.listen()
        self.read(newcomer)
        seats = [guest.seat for guest in self.guests]
        here = [player for player in PLAYERS if player in seats]
        assert len(seats) == len(here) + seats.count(None)
        told = present(*here, open=self.open, spectators=seats.count(None) + 1)
        for guest in (*self.guests, *self.guests, newcomer):
            await guest.listen()
        for guest in (*self.guests, newcomer):
            assert len(guest.errors) == (guest is sender and not allowed)
            guest.errors.clear()
            if guest.page:
                assert (guest.past, guest.presence) == (newcomer.past, told)
            else:
                # It isn't told when another game begins.
                past = [one for one in newcomer.past if one["type"] in BASE]
                assert guest.past[len(guest.past) - len(past) :] == past
        newcomer.client.vanish()
        await self.until_all_are_here()

    async def until_all_are_here(self):
        """Wait until the server knows of nobody but the guests."""
        async with asyncio.timeout(TIMEOUT):
            while len(self.match.connected) != len(self.guests):
                await asyncio.sleep(0)

    def read(self, newcomer):
        """Note what a newcomer was told, and check that it's by the rules."""
        self.told = newcomer.start, newcomer.past
        self.open = newcomer.presence["open"]
        self.game, events = Connect4(newcomer.start["player"]), [*newcomer.past]
        while events and not self.game.over:
            move = events.pop(0)
            assert move["type"] == "play"
            assert self.game.play(move["player"], move["column"]) == move["row"]
        if self.game.over:
            end = won(self.game.winner) if self.game.winner else DRAW
            assert events.pop(0) == end
        self.asked = [event["player"] for event in events if event["type"] == "rematch"]
        assert len(self.asked) == len(events) < 2

    def guest(self, number):
        return self.guests[number % len(self.guests)]

    def sits(self, seat):
        return any(guest.seat == seat for guest in self.guests)

    # What may happen

    async def come(self, way, page):
        """Somebody comes by the code, by the key of a seat, or to watch."""
        connect = self.server.watch if way == "watch" else self.server.join
        key = self.keys.get(way, self.lost) if way in PLAYERS else self.code.title()
        client = await connect(key, **({**V2} if page else {}))
        if key == self.lost:
            await client.expect_refusal(NOT_FOUND)
        elif way in PLAYERS and self.sits(way):
            watch = {"watch": self.watch} if page else {}
            await client.expect_refusal({**TAKEN, **watch})
        else:
            free = self.open[0] if way == "code" and self.open else None
            self.guests.append(guest := Guest(client))
            guest.seat = seat = way if way in PLAYERS else free
            await guest.listen()
            # A page is told where it sits.
            assert guest.seat == seat
            if seat and way == "code":
                self.lose(seat)
            if page and seat:
                self.keys[seat] = client.init["rejoin"]
                assert self.keys[seat] != self.lost
        await self.settle()

    def lose(self, seat):
        self.lost = self.keys.pop(seat, self.lost)

    async def move(self, number, column):
        """Somebody plays, allowed or not."""
        guest, moves, allowed = self.guest(number), len(self.game.moves), True
        try:
            self.game.play(guest.seat, column)
        except IllegalMove:
            allowed = False
        await guest.client.play(column)
        await self.settle(guest, allowed)
        assert len(self.game.moves) == moves + allowed

    async def play_on(self, columns):
        """Whoever can sit down does, and they play, likely to the end."""
        for way in (*PLAYERS, "code", "code"):
            if not all(map(self.sits, PLAYERS)):
                await self.come(way, True)
        for column in columns:
            for guest in self.guests:
                turn = guest.seat == self.game.turn and not self.game.over
                if turn and self.game.heights[column] < ROWS:
                    self.game.play(guest.seat, column)
                    await guest.client.play(column)
                    await guest.listen()
                    break
        moves = self.game.moves
        await self.settle()
        assert self.game.moves == moves

    async def open_seat(self, number, seat):
        """Somebody opens a seat, allowed or not."""
        guest = self.guest(number)
        others = {*([seat] if guest.seat else PLAYERS)} - {guest.seat}
        allowed = guest.page and not any(map(self.sits, others))
        await guest.client.open_seat(seat)
        if allowed:
            self.lose(seat)
            guest.seat = None if guest.seat == seat else guest.seat
        await self.settle(guest, allowed)
        assert seat in self.open or not allowed

    async def ask(self, *numbers):
        """Some ask for a rematch, allowed or not."""
        for guest in map(self.guest, numbers):
            asked, first = [*self.asked, guest.seat], self.game.first
            allowed = guest.page and guest.seat is not None and self.game.over
            allowed = allowed and guest.seat not in self.asked
            await guest.client.ask()
            await self.settle(guest, allowed)
            if allowed and len(asked) == 2:
                assert (self.game.first, self.game.moves) == (other(first), [])
            elif allowed:
                assert self.asked == asked

    async def say(self, number, message):
        await self.guest(number).client.send(message)
        await self.settle(self.guest(number), allowed=False)

    async def leave(self, number, way):
        if len(self.guests) > 1:
            guest = self.guests.pop(1 + number % (len(self.guests) - 1))
            await guest.client.close() if way == "close" else guest.client.vanish()
        await self.settle()

    async def restart(self):
        """The server stops, and knows what was in the file when it's back."""
        told = self.told
        while self.guests:
            self.guests.pop().client.vanish()
        await self.until_all_are_here()
        row = make_row(self.match)
        app.forget(self.match)
        self.match = make_match(row)
        app.keep(self.match)
        self.guests = [Guest(await self.server.watch(self.code, **V2))]
        await self.settle()
        assert self.told == told


def step(name, *arguments):
    return st.tuples(st.just(name), *arguments)


number, column = st.integers(0, 9), st.integers(0, 6)
pages = st.sampled_from([True, True, True, False])
STEPS = [
    step("come", st.just("code"), pages),
    step("come", st.sampled_from(["code", "watch", *PLAYERS]), pages),
    step("move", number, column),
    *[step("play_on", st.lists(column, min_size=25, max_size=42))] * 2,
    step("open_seat", number, st.sampled_from(PLAYERS)),
    step("ask", number),
    *[step("ask", *map(st.just, range(5)))] * 2,
    step("say", number, st.sampled_from([one for one in REFUSED if "rem" not in one])),
    step("leave", number, st.sampled_from(["close", "vanish"])),
    step("restart"),
]


async def tell(server, steps):
    """Tell a story: have everything happen."""
    story = Story(server)
    try:
        await story.begin()
        for name, *arguments in steps:
            await getattr(story, name)(*arguments)
        await story.restart()
    finally:
        # Hypothesis goes on when a story has failed.
        for client in server.clients:
            client.vanish()
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*server.server.handler_tasks, return_exceptions=True)
        server.clients.clear()
        forget_all()


def test_everybody_knows_the_same_and_by_the_rules_whatever_happens(monkeypatch):
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 0)
    app.UNTOLD.clear()

    @settings(
        max_examples=60,
        # To shorten a story takes minutes.
        phases=[Phase.generate],
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    # Hypothesis likes short lists, but in short stories little happens.
    @given(st.lists(st.one_of(STEPS), min_size=15, max_size=30))
    def check(steps):
        runner.run(tell(server, steps))

    with asyncio.Runner() as runner:
        server = Server(runner.run(serve()))
        check()
        runner.run(stop(server.server))
    app.UNTOLD.clear()
