"""
Tests that all who are at a match know the same, whatever they do.

In stories, which Hypothesis makes up, nobody knows better than the clients: whoever was
there must know what a newcomer is told then, no move may be against the rules, and what
is refused changes nothing and is only told to who sent it. What happens is the same at
every run.

"""

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import app
from connect4 import Connect4
from events import DRAW, asked, present, won
from helpers import TIMEOUT, V2, Server, Site, forget_all
from store import make_match, make_row

pytestmark = pytest.mark.slow

PLAYERS = "red", "yellow"


class Guest:
    """A client at a match, and what it knows by what it was told."""

    def __init__(self, client, seat=None):
        self.client, self.seat = client, seat
        self.page = client.websocket.subprotocol is not None
        self.start, self.presence = None, None
        self.past, self.errors = [], []

    async def listen(self):
        """Note what was told meanwhile."""
        for event in await self.client.hear():
            if event["type"] == "init":
                self.seat = event["player"]
            elif event["type"] == "start":
                self.start, self.past = event, []
            elif event["type"] == "presence":
                self.presence = event
                # Who has given up a seat doesn't ask for a rematch any more.
                gone = [asked(seat) for seat in event["open"]]
                self.past = [one for one in self.past if one not in gone]
            elif event["type"] == "error":
                self.errors.append(event["message"])
            elif event["type"] != "waiting":
                self.past.append(event)


class Story:
    """A match and its guests, of whom the first is always a spectator's page."""

    def __init__(self, server):
        self.server = server
        self.keys = {}  # of seats, as far as anybody was told
        self.lost = "x" * 16  # a key that nobody has any more

    async def begin(self):
        red, init = await self.server.start(**V2)
        self.code = init["code"]
        self.match = app.WATCH[self.code]
        self.keys["red"] = init["rejoin"]
        self.guests = [Guest(await self.server.watch(self.code, **V2))]
        self.guests.append(Guest(red, "red"))
        await self.settle()

    async def settle(self):
        """Check that all know what a newcomer is told, and nobody of an error."""
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
            assert guest.errors == []
            if guest.page:
                assert (guest.past, guest.presence) == (newcomer.past, told)
            else:
                # It isn't told when another game begins.
                past = [one for one in newcomer.past if one["type"] in ("play", "win")]
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
        game, events = Connect4(newcomer.start["player"]), [*newcomer.past]
        while events and not game.over:
            move = events.pop(0)
            assert move["type"] == "play"
            assert game.play(move["player"], move["column"]) == move["row"]
        if game.over:
            assert events.pop(0) == (won(game.winner) if game.winner else DRAW)
        assert [event["type"] for event in events] in ([], ["rematch"])

    def sits(self, seat):
        return any(guest.seat == seat for guest in self.guests)

    # What may happen

    async def come(self, way, page):
        """Somebody comes by the code, by the key of a seat, or to watch."""
        connect = self.server.watch if way == "watch" else self.server.join
        key = self.keys.get(way, self.lost) if way in PLAYERS else self.code.title()
        client = await connect(key, **({**V2} if page else {}))
        if key == self.lost or (way in PLAYERS and self.sits(way)):
            await client.expect_error()
        else:
            free = self.open[0] if way == "code" and self.open else None
            seat = way if way in PLAYERS else free
            self.guests.append(guest := Guest(client, seat))
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

    async def say(self, number, event):
        """Somebody sends what may be refused; return whether it was."""
        guest = self.guests[number % len(self.guests)]
        seat, before = guest.seat, (self.told, self.open)
        await guest.client.send(event)
        await guest.listen()
        errors, guest.errors = guest.errors, []
        await self.settle()
        assert len(errors) <= 1
        assert not errors or (self.told, self.open) == before
        # What is told of a player now is what that player did.
        (_, past), (_, new) = before[0], self.told
        new = new[len(past) :] if new[: len(past)] == past else []
        assert {event.get("player", seat) for event in new} <= {seat}
        return errors != []

    async def open_seat(self, number, seat):
        if not await self.say(number, {"type": "open", "player": seat}):
            self.lose(seat)

    async def play_on(self, columns, again):
        """Whoever can sit down does, and they play, likely to the end; maybe again."""
        for way in (*PLAYERS, "code", "code"):
            if not all(map(self.sits, PLAYERS)):
                await self.come(way, True)
        events = [{"type": "play", "column": column} for column in columns]
        for event in [*events, *[{"type": "rematch"}] * again]:
            for guest in self.guests:
                if guest.seat is not None:
                    await guest.client.send(event)
                    await guest.listen()
                    guest.errors.clear()
        await self.settle()

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
moves = st.builds(lambda column: {"type": "play", "column": column}, column)
# By the answers to a ping, and to what is no event, guests know that they heard all.
texts = ['{"type": "init"}', '{"type": "win", "player": "red"}', '{"type": "play"}']
STEPS = [
    step("come", st.just("code"), pages),
    step("come", st.sampled_from(["code", "watch", *PLAYERS]), pages),
    step("say", number, moves),
    step("say", number, st.sampled_from([*texts, *[{"type": "rematch"}] * len(texts)])),
    *[step("play_on", st.lists(column, min_size=20, max_size=30), st.booleans())] * 2,
    step("open_seat", number, st.sampled_from(PLAYERS)),
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
        runner.run(tell(Server(site.server), steps))

    with asyncio.Runner() as runner:
        runner.run((site := Site()).start())
        check()
        runner.run(site.stop())
    app.UNTOLD.clear()
