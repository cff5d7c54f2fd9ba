"""
A match: two seats, and the games that are played there.

It knows who is connected, and tells them what happens. Clients of the tutorial speak
the base protocol; a page is a connection that asked for more, by its subprotocol. The
past follows from the moves.

A seat is free if nobody sits there. Yellow's is open at first, and any that somebody
opened, until whoever sits there has moved: with the code one may take it if it's free,
or if who sits there gives no sign of life.

"""

import functools
import json
import secrets
import time

from websockets.asyncio.server import broadcast

from connect4 import OPPONENT, PLAYER2, PLAYERS, Connect4, Refused


@functools.cache
def encode(kind, **details):
    """Return an event that is told again and again, encoded once."""
    return json.dumps({"type": kind, **details})


class Match:
    """
    Two seats, who sits there, who watches, and the game that they play.

    ``code`` leads there; it's :obj:`None` if a client of the base protocol started the
    match, and then no seat is ever open. ``watch_key`` and ``keys`` are those of the
    spectators and of the seats.

    """

    def __init__(self, code=None, watch_key=None):
        self.game = Connect4()
        self.wins = dict.fromkeys(PLAYERS, 0)  # in the games before this one
        self.rematch = []  # the players who asked for one, the first of them first
        self.open = set() if code is None else {PLAYER2}  # seats, free or not
        self.code = code
        self.watch_key = watch_key or secrets.token_urlsafe(12)
        self.keys = {player: secrets.token_urlsafe(12) for player in PLAYERS}
        self.connected = {}  # connection: player, or None for a spectator
        self.players = {}  # player: connection
        self.left = time.monotonic()  # when a connection ended last

    # Who is here

    @property
    def pages(self):
        """The connections that understand more than the base protocol."""
        return [websocket for websocket in self.connected if websocket.subprotocol]

    def enter(self, websocket, player=None):
        """Register a player, or a spectator if ``player`` is None."""
        self.connected[websocket] = player
        if player is not None:
            self.players[player] = websocket

    def leave(self, websocket):
        """Unregister a connection, if it's here."""
        player = self.connected.pop(websocket, None)
        if player is not None:
            del self.players[player]
        self.left = time.monotonic()

    def presence(self):
        """Return the event, encoded, that tells who is here."""
        event = {
            "type": "presence",
            "players": sorted(self.players),
            "open": self.free,
            "spectators": len(self.connected) - len(self.players),
        }
        return json.dumps(event)

    def announce_presence(self):
        """Tell who is here to all the pages that were told otherwise."""
        presence = self.presence()
        outdated = [page for page in self.pages if page.told != presence]
        broadcast(outdated, presence)
        for page in outdated:
            page.told = presence

    # The seats

    @property
    def free(self):
        """The open seats in which nobody sits, red's before yellow's."""
        return sorted(self.open - self.players.keys())

    def find_seats(self, key):
        """Return the seat of a key, or for the code the open seats, free ones first."""
        if key == self.code:
            return sorted(self.open, key=lambda seat: (seat in self.players, seat))
        return [player for player in PLAYERS if self.keys[player] == key]

    def open_seat(self, seat, player):
        """
        Open a seat for a player, or for a spectator if ``player`` is None.

        Players may open their own seat, and watch then, or the other's if it's free;
        spectators either if both are. Raise :exc:`~connect4.Refused` otherwise.

        """
        if self.code is None:
            raise Refused("The seats of this game can't be opened.")
        if seat not in PLAYERS:
            raise Refused('A seat is "red" or "yellow".')
        for other in PLAYERS if player is None else [seat]:
            if other != player and other in self.players:
                raise Refused(f"{other.capitalize()} is here.")
        self.open.add(seat)
        if seat in self.rematch:
            self.rematch.remove(seat)
        if seat == player:
            self.connected[self.players.pop(player)] = None

    # The games

    def play(self, player, column):
        """Do what :meth:`connect4.Connect4.play` does, and close the player's seat."""
        row = self.game.play(player, column)
        self.open.discard(player)
        return row

    def start(self):
        """Return the event, encoded, with which a game begins."""
        event = {
            "type": "start",
            "player": self.game.first,
            "wins": self.wins,
        }
        return json.dumps(event)

    def past(self, page):
        """Return the events since the game began, encoded, for a ``page`` or not."""
        events = [
            encode("play", player=player, column=column, row=row)
            for player, column, row in self.game.moves
        ]
        if self.game.winner is not None:
            events.append(encode("win", player=self.game.winner))
        elif page and self.game.over:
            events.append(encode("draw"))
        if page:
            events += [encode("rematch", player=player) for player in self.rematch]
            events.insert(0, self.start())
        return events

    def ask_rematch(self, player):
        """Note, and tell, that a player asks for another game; or raise ``Refused``."""
        if not self.game.over:
            raise Refused("The game isn't over yet.")
        if player in self.rematch:
            raise Refused("You have asked for a rematch already.")
        self.rematch.append(player)
        broadcast(self.pages, encode("rematch", player=player))
        if len(self.rematch) == len(PLAYERS):
            self.go_on()

    def go_on(self, newcomer=None):
        """
        Begin another game if one is over, and tell it. Who moved second moves first.

        A ``newcomer`` in a seat has won no game yet; others see that at the next start.

        """
        if self.game.winner is not None:
            self.wins[self.game.winner] += 1
        if newcomer is not None:
            self.wins[newcomer] = 0
        if self.game.over:
            self.game = Connect4(OPPONENT[self.game.first])
            self.rematch.clear()
            broadcast(self.pages, self.start())
