"""
Tests that the server keeps the contract whatever clients send.

Hypothesis makes up what happens at a match, and a model of the contract tells what
each of them must receive: just that, in that order, and nothing else. The model
shares no code with the server but the rules of the game, which test_connect4.py
tests against figures of others. What happens is the same at every run.

"""

import asyncio
import contextlib
import json
import time
from unittest.mock import ANY

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import app
from connect4 import Connect4, IllegalMove
from helpers import (
    DRAW,
    NOT_FOUND,
    TIMEOUT,
    V2,
    Server,
    ask,
    asked,
    forget_all,
    hear,
    open_seat,
    played,
    present,
    serve,
    started,
    stop,
    won,
)
from store import make_match, make_row

pytestmark = pytest.mark.slow

# What nobody may send

VALUES = [
    *map(str, [-2, -1, *range(7, 10)]),
    *("03", "3.", "3.0", "3e0", "1e999", "NaN", "Infinity", "0x3", "٣"),
    *("true", "false", "null", '"3"', '""', "[3]", "{}", '{"column": 3}', '"\\ud800"'),
    *("9" * 900, "9" * 900 + "e9", "-" + "1" * 900, "0." + "3" * 900),
    *("[" * 400 + "]" * 400, '{"a":' * 100 + "3" + "}" * 100),
]

TYPES = [
    *('"play"', '"\\u0070lay"', '"rematch"', '"open"', '"init"', '"win"', '"error"'),
    *('"PLAY"', '"play "', '"play\\u0000"', '"\\ud800"', '""', "null", "3", "[]", "{}"),
]

FORMS = [
    '{"type": TYPE, "column": VALUE}',
    ' \n{"type"\t: TYPE, "player": 0, "row": 0, "column": VALUE}\r\n',
    '{"type": "ping", "type": TYPE, "column": VALUE, "join": "x", "watch": "y"}',
    '{"type": TYPE, "column": 3, "column": VALUE}',
    '{"type": TYPE}',
    '[{"type": TYPE, "column": VALUE}]',
    '{"type": TYPE, "column": VALUE',
    '{"type": TYPE, "column": VALUE}}',
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


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("options", [V2, {}], ids=["subprotocol", "base"])
@pytest.mark.parametrize("who", ["player", "spectator"])
async def test_what_is_refused_is_answered_in_a_sentence_each(server, who, options):
    red, init = await server.start(**V2)
    connect = server.join if who == "player" else server.watch
    client = await connect(init["code"], **options)
    await red.play(3)
    while (await client.receive())["type"] != "play":
        pass
    await hear(red)
    for number, message in enumerate(REFUSED):
        size, data = [1000, 7, 300][number % 3], message.encode()
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        await client.websocket.send(pieces, text=True)
        assert len((await client.expect_error())["message"].split()) > 3
    await client.expect_nothing()
    assert await hear(red) == []


# A story

PLAYERS = "red", "yellow"


def refused(message=ANY):
    return {"type": "error", "message": message}


class Story:
    """A match, its clients, and the model of what each of them must see."""

    def __init__(self, server):
        self.server = server
        self.board = Connect4()
        self.score = dict.fromkeys(PLAYERS, 0)
        self.wishes = []
        self.open = {"yellow"}
        self.keys = {"red": ANY}  # of seats, as far as anybody was told
        self.lost = ["x" * 16]  # keys that nobody has any more
        self.clients = []  # the first of them is always a spectator's page
        self.init = {}  # of a spectator

    async def begin(self):
        red, init = await self.server.start(**V2)
        self.keys["red"] = init.pop("rejoin")
        self.init = {**init, "player": None}
        async with self.server.departure():
            await red.close()
        await self.come("watch", True)
        await self.come("red", True)

    # What everybody must see

    def tell(self, *events, base=False):
        for client in self.clients:
            if client.page or base:
                client.expected += events

    def replay(self, client):
        events = self.moves()
        events += [won(self.board.winner)] if self.board.winner else []
        if client.page:
            key = {"rejoin": self.keys[client.seat]} if client.seat else {}
            init = {**self.init, "player": client.seat, **key}
            events += [DRAW] if self.board.drawn else []
            events += map(asked, self.wishes)
            events = [init, started(self.board.first, **self.score), *events]
        client.expected += events

    def moves(self):
        columns = [column for _, column, _ in self.board.moves]
        return played(*columns, first=self.board.first)

    def sitting(self, seat):
        return [client for client in self.clients if client.seat == seat]

    async def settle(self):
        """Check that each client was told what it must be told, and nothing else."""
        match = app.WATCH[self.init["watch"]]
        async with asyncio.timeout(TIMEOUT):
            while len(match.connected) != len(self.clients):
                await asyncio.sleep(0)
        for client in 2 * self.clients:
            await listen(client)
        players = [seat for seat in PLAYERS if self.sitting(seat)]
        free = sorted(self.open - {*players})
        here = present(*players, open=free, spectators=len(self.sitting(None)))
        for client in self.clients:
            assert client.heard == client.expected
            assert client.presence == (here if client.page else None)
            client.heard, client.expected = [], []

    # What may happen

    def begin_game(self, newcomer=None):
        if self.board.winner:
            self.score[self.board.winner] += 1
        if newcomer:
            self.score[newcomer] = 0
        self.board = Connect4("yellow" if self.board.first == "red" else "red")
        self.wishes = []
        self.tell(started(self.board.first, **self.score))

    async def come(self, way, page):
        """Somebody comes by the code, by the key of a seat, or to watch."""
        seat = key = None
        if way in PLAYERS:
            key = self.keys.get(way) or self.lost[-1]
            seat = way if key == self.keys.get(way) else None
        elif way == "code":
            free = [seat for seat in self.open if not self.sitting(seat)]
            seat = min(free, default=None)
        connect = self.server.watch if way == "watch" else self.server.join
        options = {"max_queue": None, **(V2 if page else {})}
        client = await connect(key or self.init["code"].title(), **options)
        if way in PLAYERS and (seat is None or self.sitting(seat)):
            watch = {"watch": self.init["watch"]} if page and seat else {}
            taken = refused("The game already has this player.")
            await client.expect({**taken, **watch} if seat else NOT_FOUND)
            await client.expect_close(1000)
            return
        if way == "code" and seat:
            self.lose(seat)
            self.keys[seat] = ANY if page else None
            self.begin_game(seat) if self.board.over else self.score.update({seat: 0})
        client.page, client.seat = page, seat
        client.expected, client.heard, client.presence = [], [], None
        self.clients.append(client)
        self.replay(client)
        await self.settle()
        if page and seat:
            assert client.init["rejoin"] not in self.lost
            self.keys[seat] = client.init["rejoin"]

    def lose(self, seat):
        if key := self.keys.pop(seat, None):
            self.lost.append(key)

    async def open_seat(self, number, seat):
        client = self.clients[number % len(self.clients)]
        await open_seat(client, seat)
        others = {*([seat] if client.seat else PLAYERS)} - {client.seat}
        here = [other for other in sorted(others) if self.sitting(other)]
        if not client.page or here:
            message = f"{here[0].capitalize()} is here." if client.page else ANY
            client.expected.append(refused(message))
            return
        self.open.add(seat)
        self.wishes = [player for player in self.wishes if player != seat]
        self.lose(seat)
        if client.seat == seat:
            client.seat = None
            self.replay(client)

    async def move(self, client, column):
        await client.play(column)
        try:
            if client.seat is None:
                raise IllegalMove(ANY)
            self.board.play(client.seat, column)
        except IllegalMove as exc:
            client.expected.append(refused(exc.args[0]))
            return
        self.open.discard(client.seat)
        self.tell(self.moves()[-1], base=True)
        if self.board.winner:
            self.tell(won(client.seat), base=True)
        elif self.board.drawn:
            self.tell(DRAW)

    async def play(self, columns):
        """Whoever's turn it is plays, if they are here; then anybody tries to."""
        for column in columns:
            for client in self.sitting(self.board.turn):
                await self.move(client, column)
                await self.settle()
        await self.move(self.clients[sum(columns) % len(self.clients)], columns[0])

    async def play_on(self, columns):
        """Whoever can sit down does, and they play, likely to the end."""
        for way in (*PLAYERS, "code", "code"):
            if not all(map(self.sitting, PLAYERS)):
                await self.come(way, True)
        await self.play(columns)

    async def ask(self, *numbers):
        """Some ask for a rematch, allowed or not."""
        for number in numbers:
            client = self.clients[number % len(self.clients)]
            await ask(client)
            may = client.page and client.seat and self.board.over
            if may and client.seat not in self.wishes:
                self.wishes.append(client.seat)
                self.tell(asked(client.seat))
                if len(self.wishes) == 2:
                    self.begin_game()
            else:
                client.expected.append(refused())
            await self.settle()

    async def say(self, number, message):
        client = self.clients[number % len(self.clients)]
        await client.send(message)
        client.expected.append(refused())

    async def leave(self, number, way):
        if len(self.clients) > 1:
            client = self.clients.pop(1 + number % (len(self.clients) - 1))
            await client.close() if way == "close" else client.vanish()

    async def restart(self):
        """The server stops, and knows what was in the file when it's back."""
        match = app.WATCH[self.init["watch"]]
        for client in self.clients:
            client.vanish()
        self.clients = []
        async with asyncio.timeout(TIMEOUT):
            while match.connected:
                await asyncio.sleep(0)
        row = make_row(match, time.time())
        app.forget(match)
        match = make_match(row)
        app.keep(match)
        app.LEFT[match] = time.monotonic()
        await self.come("watch", True)


async def listen(client):
    """Note what a client has received, and who is here by that."""
    events = []
    if client.page:
        events = await hear(client)
    else:
        await (await client.websocket.ping())
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0):
                    events.append(json.loads(await client.websocket.recv()))
    for event in events:
        if event["type"] == "presence":
            client.presence = event
        elif event["type"] != "waiting":
            client.heard.append(event)


def step(name, *arguments):
    return st.tuples(st.just(name), *arguments)


number, column = st.integers(0, 9), st.integers(0, 6)
pages = st.sampled_from([True, True, True, False])
coming = [["code"], PLAYERS, ["code", "watch", *PLAYERS]]
STEPS = [
    *[step("come", st.sampled_from(ways), pages) for ways in coming],
    step("play", st.lists(column, min_size=1, max_size=3)),
    *[step("play_on", st.lists(column, min_size=25, max_size=42))] * 2,
    step("open_seat", number, st.sampled_from(PLAYERS)),
    step("ask", number),
    *[step("ask", *map(st.just, range(5)))] * 2,
    step("say", number, st.sampled_from([one for one in REFUSED if "rem" not in one])),
    step("leave", number, st.sampled_from(["close", "vanish"])),
    step("restart"),
]


async def tell(server, steps):
    """Tell a story: have everything happen, and check what everybody sees of it."""
    story = Story(server)
    try:
        await story.begin()
        for name, *arguments in steps:
            await getattr(story, name)(*arguments)
            await story.settle()
        await story.restart()
    finally:
        # Hypothesis goes on when a story has failed.
        for client in server.clients:
            client.vanish()
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*server.server.handler_tasks, return_exceptions=True)
        server.clients.clear()
        forget_all()


def test_everybody_sees_what_the_contract_says_whatever_happens(monkeypatch):
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 0)
    app.UNTOLD.clear()

    @settings(
        max_examples=100,
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
