"""
Tests that the server keeps the contract whatever clients send.

Hypothesis makes up what they send, and a model of the contract tells what each
of them must receive: just that, in that order, and nothing else. The model shares
no code with the server but the rules of the game, which test_connect4.py tests
against figures of others. The messages are the same ones at every run.

"""

import asyncio
import collections
import json

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

import app
import helpers
from connect4 import Connect4, IllegalMove
from helpers import TIMEOUT, V2, started
from test_fire import BINARY, PING, TEXT, end, frame

pytestmark = pytest.mark.slow

PLAYERS = "red", "yellow"


@pytest.fixture(autouse=True)
def presence_at_once(monkeypatch):
    """Everybody is told at once who comes and goes."""
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 0)


# Messages, as (opcode, data), and in how many fragments they come

VALUES = [
    *map(str, range(-2, 9)),
    *("-0", "03", "3.", "3.0", "3e0", "1e999", "NaN", "Infinity", "0x3", "٣"),
    *("true", "false", "null", '"3"', '""', "[3]", "{}", '{"column": 3}', '"\\ud800"'),
    *("9" * 900, "9" * 900 + "e9", "-" + "1" * 900, "0." + "3" * 900),
    *("[" * 400 + "]" * 400, '{"a":' * 100 + "3" + "}" * 100),
]

TYPES = [
    *('"play"', '"\\u0070lay"', '"rematch"', '"ping"', '"init"', '"win"', '"error"'),
    *('"PLAY"', '"play "', '"play\\u0000"', '"\\ud800"', '""', "null", "3", "[]", "{}"),
]

FORMS = [
    '{"type": TYPE, "column": VALUE}',
    '{"column":VALUE,"type":TYPE}',
    ' \n{"type"\t: TYPE, "player": "red", "row": 0, "column": VALUE}\r\n',
    '{"type": "init", "type": TYPE, "column": VALUE, "join": "x", "watch": "y"}',
    '{"type": TYPE, "column": 3, "column": VALUE}',
    '{"type": TYPE}',
    '[{"type": TYPE, "column": VALUE}]',
    '{"type": TYPE, "column": VALUE',
    '{"type": TYPE, "column": VALUE}}',
    "\ufeff" + '{"type": TYPE, "column": VALUE}',
    "VALUE",
]

TABLE = [
    form.replace("TYPE", kind).replace("VALUE", value)
    for form in FORMS
    for kind in TYPES
    for value in VALUES
]

surrogates = st.characters(exclude_categories=())
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(surrogates),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(surrogates), inner),
    max_leaves=5,
)
plays = st.integers(0, 6).map('{{"type": "play", "column": {}}}'.format)
texts = st.one_of(
    plays,
    plays,
    st.sampled_from(['{"type": "ping"}', '{"type": "rematch"}']),
    st.sampled_from(TABLE),
    st.sampled_from(TABLE),
    st.sampled_from(TABLE),
    st.text(max_size=20),
    documents.map(json.dumps),
    st.builds(str.__mul__, st.sampled_from('[{1-" \0é☃🟡'), st.integers(0, 256)),
).filter(lambda text: len(text.encode()) <= 1024)
messages = st.one_of(
    *[st.tuples(st.just(TEXT), texts.map(str.encode))] * 9,
    st.tuples(st.just(BINARY), st.binary(max_size=30) | texts.map(str.encode)),
)
fragments = st.sampled_from([1, 1, 1, 1, 2, 5])
sent = st.tuples(messages, fragments)

# Messages that end the connection, with the code that the contract has for it.
FATAL = [
    (1009, TEXT, b"x" * 1025),
    (1009, TEXT, b'{"type": "play", "column": ' + b" " * 1024 + b"3}"),
    (1009, BINARY, bytes(70_000)),
    (1007, TEXT, b'{"type": "play", "column": 3, "\xff": 0}'),
    (1007, TEXT, b'"\xed\xa0\x80"'),
    (1007, TEXT, b"\xf0\x9f\x9f"),
]


def frames(opcode, data, number=1):
    """Return a message in a number of fragments, with a ping between any two."""
    size = -(-len(data) // number) or 1
    pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    last = len(pieces) - 1
    return frame(b"", PING).join(
        frame(piece, 0 if at else opcode, fin=at == last)
        for at, piece in enumerate(pieces)
    )


def parse(opcode, data):
    """Return the event that a message holds, or an empty one."""
    if opcode == TEXT:
        try:
            event = json.loads(data.decode())
        except (ValueError, RecursionError):
            return {}
        if isinstance(event, dict):
            return event
    return {}


# The clients


class Client(helpers.Client):
    """A client that sends whole frames, and checks the events that come."""

    def __init__(self, websocket):
        super().__init__(websocket)
        self.transport = websocket.transport
        self.extended = bool(websocket.subprotocol)
        self.player = None
        self.expected = collections.deque()

    async def settle(self):
        """Receive what is expected so far."""
        while self.expected:
            expected = self.expected.popleft()
            event = await self.receive()
            if expected["type"] == "error" and "message" not in expected:
                assert len(event.pop("message", "").split()) > 3
            assert event == expected

    async def expect_close(self, code):
        """Check that the server closes the connection, and sends nothing more."""
        await super().expect_close(code)
        with pytest.raises(ConnectionClosed):
            pytest.fail(f"unexpected: {await self.websocket.recv()}")


def refused(message=None):
    """Return an error event: with this message, or with any sentence."""
    return {"type": "error"} | ({} if message is None else {"message": message})


async def until(condition):
    """Wait until the server, which runs in the same event loop, is so far."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            if condition():
                break
            await asyncio.sleep(0)


class Story:
    """A match, its clients, and the model of what each of them must see."""

    sent = 0

    def __init__(self, port):
        self.port = port
        self.board = Connect4()
        self.clients = []
        self.rematch = []
        self.wins = {"red": 0, "yellow": 0}
        self.presence = None
        self.keys = {}
        self.invite = None
        self.over = False

    # What is expected

    def tell(self, event, clients=None, extension=True):
        """Expect that clients are told an event; all, if none are named."""
        for client in self.clients if clients is None else clients:
            if client.extended or not extension:
                client.expected.append(event)

    def tell_move(self, move, clients=None):
        event = dict(zip(("player", "column", "row"), move, strict=True))
        self.tell({"type": "play", **event}, clients, extension=False)

    def tell_end(self, clients=None):
        if self.board.winner is not None:
            event = {"type": "win", "player": self.board.winner}
            self.tell(event, clients, extension=False)
        elif self.board.over:
            self.tell({"type": "draw"}, clients)

    def tell_start(self, clients=None):
        self.tell(started(self.board.first, **self.wins), clients)

    def tell_presence(self, newcomers=()):
        players = [client.player for client in self.clients]
        event = {
            "type": "presence",
            "players": [player for player in PLAYERS if player in players],
            "spectators": players.count(None),
        }
        self.tell(event, None if event != self.presence else newcomers)
        self.presence = event

    def may_ask(self, client):
        """Tell whether a client may ask for a rematch now."""
        asked = client.player in self.rematch
        return client.player and client.extended and self.board.over and not asked

    def tell_answer(self, client, event):
        """Expect what a message must cause."""
        kind = event.get("type")
        message = None
        if kind == "ping" and client.extended:
            self.tell({"type": "pong"}, [client])
            return
        if client.player and kind == "play":
            try:
                column = event.get("column")
                row = self.board.play(client.player, column)
            except IllegalMove as exc:
                message = str(exc)
            else:
                self.tell_move((client.player, column, row))
                self.tell_end()
                return
        elif kind == "rematch" and self.may_ask(client):
            self.rematch.append(client.player)
            self.tell({"type": "rematch", "player": client.player})
            if len(self.rematch) == 2:
                self.rematch = []
                if self.board.winner is not None:
                    self.wins[self.board.winner] += 1
                self.board = Connect4(PLAYERS[self.board.first == "red"])
                self.tell_start()
            return
        self.tell(refused(message), [client], extension=False)

    async def settle(self):
        """Have all clients receive what they must, and look at the server."""
        for client in self.clients:
            await client.settle()
        match = app.WATCH[self.keys["watch"]]
        await until(lambda: len(match.connected) == len(self.clients))
        for client in self.clients:
            await client.settle()
        game = match.game
        board = self.board
        assert (game.moves, game.first) == (board.moves, board.first)
        assert (game.winner, game.over) == (board.winner, board.over)
        seats = [client.player for client in self.clients]
        assert {*match.players} == {*seats} - {None}
        assert [*match.connected.values()].count(None) == seats.count(None)

    # What happens

    async def connect(self, protocol, event):
        options = dict(V2) if protocol == "extension" else {}
        options |= {"compression": None, "ping_interval": None, "max_queue": None}
        url = f"ws://127.0.0.1:{self.port}/"
        client = Client(await websockets.connect(url, proxy=None, **options))
        client.transport.write(frame(event))
        Story.sent += 1
        return client

    async def start(self, protocol):
        client = await self.connect(protocol, {"type": "init"})
        client.player = "red"
        self.clients.append(client)
        event = await client.receive()
        self.keys = {name: event[name] for name in ("join", "watch")}
        rejoin = event.get("rejoin")
        if client.extended:
            self.invite = event["invite"]
            extra = {"rejoin": rejoin, "invite": self.invite, "host": None}
            assert event == {"type": "init", **self.keys, "player": "red", **extra}
        else:
            assert event == {"type": "init", **self.keys}
        self.seats = {"red": rejoin, "yellow": self.keys["join"]}
        self.tell_start()
        self.tell_presence()

    async def come(self, player, protocol):
        """Somebody comes: a spectator, or for a seat, which may be taken."""
        if player is None:
            event = {"type": "init", "watch": self.keys["watch"]}
        elif (key := self.seats[player]) is None:
            return
        else:
            code = self.invite if player == "yellow" else None
            event = {"type": "init", "join": code.upper() if code else key}
        client = await self.connect(protocol, event)
        newcomers = [client]
        if player and player in [client.player for client in self.clients]:
            event = refused("The game already has this player.")
            if client.extended:
                event["watch"] = self.keys["watch"]
            self.tell(event, newcomers, extension=False)
            await client.settle()
            await client.expect_close(1000)
            return
        client.player = player
        self.clients.append(client)
        if player:
            event = {"type": "init", **self.keys, "player": player}
            if player == "yellow":
                self.invite = None
            event |= {"rejoin": key, "invite": self.invite, "host": None}
            self.tell(event, newcomers)
        self.tell_start(newcomers)
        for move in self.board.moves:
            self.tell_move(move, newcomers)
        self.tell_end(newcomers)
        for asked in self.rematch:
            self.tell({"type": "rematch", "player": asked}, newcomers)
        self.tell_presence(newcomers)

    async def send(self, number, burst):
        """A client sends messages, and doesn't wait for the answers."""
        client = self.clients[number % len(self.clients)]
        data = []
        for message, pieces in burst:
            data.append(frames(*message, pieces))
            self.tell_answer(client, parse(*message))
        client.transport.write(b"".join(data))
        Story.sent += len(burst)

    async def play(self, columns):
        """Whoever's turn it is plays, if they are here and it's possible."""
        for column in columns:
            seats = [client.player for client in self.clients]
            if not self.board.over and self.board.turn in seats:
                message = TEXT, b'{"type": "play", "column": %d}' % column
                await self.send(seats.index(self.board.turn), [(message, 1)])
                for client in self.clients:
                    await client.settle()

    async def ask(self):
        """Both players ask for a rematch, allowed or not."""
        for number, client in enumerate(self.clients):
            if client.player:
                await self.send(number, [((TEXT, b'{"type": "rematch"}'), 1)])
                await self.settle()

    async def leave(self, number, way):
        """A client leaves; when few are here, seldom."""
        if len(self.clients) < 4 and number:
            return
        client = self.clients.pop(number % len(self.clients))
        end(client.transport, way)
        await self.left(client)

    async def freeze(self, number, protocol):
        """A player freezes, and takes the seat again with another connection."""
        players = [client for client in self.clients if self.seats.get(client.player)]
        if players:
            frozen = players[number % len(players)]
            seats = app.WATCH[self.keys["watch"]].players
            old = seats[frozen.player]
            frozen.transport.pause_reading()
            self.clients.remove(frozen)
            # However long one waits, it gives no sign of life.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(app, "PROBE_TIMEOUT", 0)
                await self.come(frozen.player, protocol)
                await until(lambda: seats[frozen.player] is not old)
            frozen.transport.abort()

    async def offend(self, number, fatal, pieces):
        """Likewise, because it sends what the contract closes the connection for."""
        if len(self.clients) < 4 and number:
            return
        code, opcode, data = fatal
        client = self.clients.pop(number % len(self.clients))
        client.transport.write(frames(opcode, data, pieces))
        Story.sent += 1
        await client.expect_close(code)
        await self.left(client)

    async def left(self, client):
        players = any(client.player for client in self.clients)
        if client.player and not players and not self.seats["red"]:
            # The game is gone.
            for spectator in self.clients:
                self.tell(refused(), [spectator], extension=False)
                await spectator.settle()
                await spectator.expect_close(1000)
            await until(lambda: not app.JOIN and not app.WATCH)
            self.over = True
        else:
            self.tell_presence()

    async def end(self):
        """Check that nothing else was sent or closed, and that nothing is left."""
        match = app.WATCH[self.keys["watch"]]
        for client in self.clients:
            client.transport.write(frame("the end"))
            client.expected.append(refused())
            await client.settle()
        for client in self.clients:
            await client.expect_nothing()
        for client in self.clients:
            end(client.transport, "close")
        await until(lambda: not match.connected)
        if match.rejoin_key:
            # It is kept for those who come back. Nobody does.
            assert {*app.JOIN} == {*self.seats.values(), self.invite} - {None}
            assert {*app.WATCH} == {self.keys["watch"]}
            assert list(app.FORSAKEN) == [match]
        else:
            await until(lambda: not app.JOIN and not app.WATCH)


async def tell(port, protocol, steps):
    """Tell a story: have everything happen, and check what everybody sees of it."""
    story = Story(port)
    try:
        await story.start(protocol)
        await story.settle()
        for name, *arguments in steps:
            if story.clients or name == "come":
                await getattr(story, name)(*arguments)
            if story.over:
                return
            await story.settle()
        await story.end()
    finally:
        # Hypothesis goes on when a story has failed.
        for client in story.clients:
            client.transport.abort()
        for timer in app.FORSAKEN.values():
            timer.cancel()
        for games in (app.FORSAKEN, app.JOIN, app.WATCH):
            games.clear()


def explore(strategy, examples, coroutine):
    """Run a coroutine with a live server for many examples."""

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def check(example):
        runner.run(coroutine(port, *example))

    with asyncio.Runner() as runner:
        server = runner.run(listen())
        port = server.sockets[0].getsockname()[1]
        Story.sent = 0
        check()
        server.close()
        runner.run(server.wait_closed())
    print(Story.sent, "messages")
    return Story.sent


async def listen():
    return await app.serve_games("127.0.0.1", 0)


protocols = st.sampled_from(["base", "extension"])
number = st.integers(0, 9)
bursts = st.tuples(st.just("send"), number, st.lists(sent, min_size=1, max_size=12))
moves = st.tuples(st.just("play"), st.lists(st.integers(0, 6), max_size=20))
coming = st.tuples(
    st.just("come"), st.sampled_from([*PLAYERS, "yellow", None]), protocols
)
steps = st.one_of(
    *[bursts] * 8,
    *[moves] * 3,
    *[coming] * 4,
    st.just(["ask"]),
    st.tuples(st.just("leave"), number, st.sampled_from(["reset", "end", "close"])),
    st.tuples(st.just("freeze"), number, protocols),
    st.tuples(st.just("offend"), number, st.sampled_from(FATAL), fragments),
)


def test_everybody_sees_what_the_contract_says_whatever_happens():
    # Hypothesis likes short lists, but in short stories little happens.
    stories = st.tuples(protocols, st.lists(steps, min_size=20, max_size=40))
    assert explore(stories, 330, tell) >= 10_000


async def tell_singles(port, protocols, columns, bursts):
    """Send messages to a game at some point, from each of its clients."""
    first, *others = protocols
    seats = ["yellow", None, None]
    come = [("come", *other) for other in zip(seats, others, strict=True)]
    send = [("send", number, burst) for number, burst in enumerate(bursts)]
    await tell(port, first, [*come, ("play", columns), *send])


def test_every_message_has_the_answer_that_it_must_have():
    bursts = st.lists(sent, min_size=20, max_size=40)
    singles = st.tuples(
        st.tuples(*[protocols] * 4),
        st.lists(st.integers(0, 6), max_size=42),
        st.lists(bursts, min_size=4, max_size=4),
    )
    assert explore(singles, 360, tell_singles) >= 40_000
