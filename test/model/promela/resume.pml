/*
 * The resume machine of wire-protocol.md §7.4: two sides, two streams, up to three drops of the link.
 *
 * Small on purpose: a stream is a unit or two and a window of one unit, so that credit has to come back; the hub
 * opens, the agent answers; either may reset a stream. A drop loses all that is on its way, and a side may go on
 * sending into nothing before it notices. What a step of an application causes to be sent goes out with it: what waits
 * in an outbox is lost with the link, like what is on its way. A table is one message: half a table has no effect.
 *
 * What is checked: a unit arrives once and in order, and FIN behind all of them (no_gap); nothing that only a
 * dishonest peer sends is ever seen (honest); and when nothing can move any more, every stream is over on both sides,
 * in good order and complete unless somebody reset it (finished). Drops, resets and PINGs are bounded and every other
 * step makes progress, so each run comes to that point: spin finds no cycle either (-DNP).
 *
 * Each NO_... switches one guard off; then spin must find an error.
 */

#define HUB 0
#define AGENT 1
#define STREAMS 2
#ifndef DROPS
#define DROPS 3
#endif
#ifndef PINGS
#define PINGS 1
#endif
#ifndef RESETS
#define RESETS 1
#endif
/* Frames on their way, each way, up to which a side sends. */
#ifndef DEPTH
#define DEPTH 2
#endif
#define WINDOW 1

/* Units that each side sends on each stream; FIN is one more. */
#define LENGTH(side, s) ((s) == 0 -> ((side) == HUB -> 2 : 0) : ((side) == HUB -> 0 : 1))
#define END(side, s) (LENGTH(side, s) + 1)

mtype = { OPEN, OPENED, DATA, FIN, CREDIT, RST, PING, PONG, TABLE };

/* Where a stream is, for one side. */
#define NONE 0
#define OPENING 1
#define OFFERED 2
#define LIVE 3
#define CLOSED 4
#define RESET_HERE 5
#define RESET_THERE 6
#define OVER(st) ((st) >= CLOSED)
#define IS_LIVE(st) ((st) >= OPENING && (st) <= LIVE)

/* A row of a table. */
#define NO_ROW 0
#define ROW_UNANSWERED 1
#define ROW_OPEN 2
#define ROW_CLOSED 3
#define ROW_RESET 4
#define ROW_OPEN_RESET 5

typedef Stream {
  byte st;
  byte sent;      /* next offset to send; FIN is the last */
  byte acked;     /* what the peer has told of its `consumed`: we may send a window more */
  byte received;
  byte consumed;
  byte row;       /* over, and the peer may not know it: the row of the table that says so */
  bit covered;    /* it was over when the last PING went */
  bit dueRst;     /* reset while the tables were under way */
}
typedef Side {
  Stream s[STREAMS];
  byte seen;      /* streams that the peer has opened */
  bit pingOut;
}
Side side[2];
/* How many PINGs may be sent, and streams reset, from now on; by either side. */
byte pings = PINGS;
byte resets;

#define DOWN 0
#define SYNCING 1
#define UP 2
byte mode[2] = UP;
bit link = 1;
/* The agent has answered, and the hub does not know it: what it sent may have reached a target. */
bit answered[STREAMS];

/* A frame: stream and number; or a table: a row, `received` and `consumed` for each stream, and the highest cid seen. */
chan wire[2] = [DEPTH + 3] of { mtype, byte, byte, byte, byte, byte, byte, byte };
/* There is room for what one step causes. */
#define ROOM (!link || len(wire[me]) < DEPTH)

#define X side[me].s[s]
#define Y(n) side[me].s[n]
#define PEER side[1 - me].s[s]
#define no_gap(condition) assert(condition)
#define honest(condition) assert(condition)
#define finished(condition) assert(condition)

/* On its way, or lost where there is no link. */
inline send(type, a, b) {
  if
  :: link -> assert(nfull(wire[me])); wire[me]!type(a, b, 0, 0, 0, 0, 0)
  :: else
  fi
}

/* Over; what no rule looks at any more is forgotten, for fewer states. */
inline end_as(how, r) {
  X.row = r;
  X.st = how;
  X.sent = 0;
  X.acked = 0;
  X.received = 0;
  X.consumed = 0;
  answered[s] = (me == HUB -> 0 : answered[s]);
  if
  :: OVER(PEER.st) -> X.row = NO_ROW; PEER.row = NO_ROW; X.covered = 0; PEER.covered = 0
  :: else
  fi
}

/* Everything is through, both ways, and the peer was told so. */
inline settle() {
  if
  :: X.st == LIVE && X.acked == END(me, s) && X.consumed == END(1 - me, s) ->
    finished(OVER(PEER.st) || PEER.received == END(me, s));
    end_as(CLOSED, ROW_CLOSED)
  :: else
  fi
}

inline reset_there() {
  /* Without OPENED the hub may try another target: then this one must not have been given anything. */
  honest(X.st != OPENING || !answered[s]);
  end_as(RESET_THERE, NO_ROW)
}

inline acknowledge(upTo) {
  honest(upTo <= X.sent);
  if
  :: upTo > X.acked -> X.acked = upTo
  :: else
  fi;
  settle()
}

/* ---- the exchange of tables ---- */

inline make_row() {
  if
  :: X.row != NO_ROW ->
    row[s] = X.row
#ifdef NO_TOMBSTONES
    ;
    row[s] = NO_ROW
#endif
#ifdef NO_OPENED_IN_TOMBSTONES
    ;
    row[s] = (row[s] == ROW_OPEN_RESET -> ROW_RESET : row[s])
#endif
  :: X.row == NO_ROW && IS_LIVE(X.st) ->
    row[s] = (X.st == LIVE -> ROW_OPEN : ROW_UNANSWERED);
    got[s] = X.received;
    had[s] = X.consumed;
    settle()
  :: else
  fi
}

inline forget_table() {
  row[0] = 0; row[1] = 0; got[0] = 0; got[1] = 0; had[0] = 0; had[1] = 0; heard = 0; s = 0
}

/* There is a new link: our table goes out first. */
inline resume() {
  side[me].pingOut = 0;
  s = 0;
  do
  :: s < STREAMS -> make_row(); X.dueRst = 0; X.covered = 0; s++
  :: else -> break
  od;
  wire[me]!TABLE(row[0], got[0], had[0], row[1], got[1], had[1], side[me].seen);
  mode[me] = SYNCING;
  forget_table()
}

/* The peer's row for stream s. */
inline align() {
  if
  :: row[s] >= ROW_OPEN && row[s] != ROW_RESET && X.st == OPENING -> X.st = LIVE; answered[s] = 0
  :: else
  fi;
  if
  :: row[s] == ROW_RESET || row[s] == ROW_OPEN_RESET -> reset_there()
  :: else ->
    if
    :: row[s] == ROW_CLOSED ->
      honest(X.consumed == END(1 - me, s));
      got[s] = END(me, s);
      had[s] = END(me, s)
    :: else
    fi;
    honest(X.acked <= had[s] && had[s] <= got[s] && got[s] <= X.sent);
#ifndef NO_REWIND
    X.sent = got[s];
#endif
#ifdef NO_CREDIT_IN_ROWS
    had[s] = X.acked;
#endif
    acknowledge(had[s])
  fi
}

/* The peer's table is here. */
inline reconcile() {
  s = 0;
  do
  :: s < STREAMS ->
    if
    :: me == HUB && s >= heard ->
      /* It has never heard of this stream: neither of its end. */
      if
      :: IS_LIVE(X.st) -> X.sent = 0; send(OPEN, s, 0)
#ifdef NO_KEEP
      :: X.dueRst -> send(RST, s, 0)
#endif
      :: else
      fi
    :: else ->
      if
      :: IS_LIVE(X.st) ->
        /* A stream that the peer knew and has forgotten would be lost here. */
        honest(row[s] != NO_ROW);
        align()
      :: X.dueRst -> send(RST, s, 0)
      :: else
      fi
    fi;
    X.dueRst = 0;
    s++
  :: else -> break
  od;
  mode[me] = UP;
  forget_table()
}

/* ---- a frame arrives ---- */

inline take() {
  if
  :: type == PING -> send(PONG, 0, 0)
  :: type == PONG ->
    s = 0;
    do
    :: s < STREAMS ->
      if
#ifdef NO_EPOCHS
      :: OVER(X.st) -> X.row = NO_ROW
#else
      :: side[me].pingOut && X.covered -> X.row = NO_ROW
#endif
      :: else
      fi;
      X.covered = 0;
      s++
    :: else -> break
    od;
    side[me].pingOut = 0
  :: type == OPEN ->
    s = a;
    honest(me == AGENT && s >= side[me].seen);
    side[me].seen = s + 1;
    X.st = OFFERED
  :: else ->
    s = a;
    honest(me == HUB || s < side[me].seen);
    if
    :: !IS_LIVE(X.st) /* late: it is over here */
    :: IS_LIVE(X.st) && type == RST -> reset_there()
    :: IS_LIVE(X.st) && type == OPENED -> honest(X.st == OPENING); X.st = LIVE; answered[s] = 0
    :: IS_LIVE(X.st) && type == DATA ->
      honest(X.st != OPENING);
      no_gap(b == X.received && b < LENGTH(1 - me, s) && b < X.consumed + WINDOW);
      X.received++
    :: IS_LIVE(X.st) && type == FIN ->
      honest(X.st != OPENING);
      no_gap(b == X.received && b == LENGTH(1 - me, s));
      X.received++
    :: IS_LIVE(X.st) && type == CREDIT -> acknowledge(b)
    fi
  fi
}

/* ---- one side ---- */

/* With a link, or without: what is done while the tables are under way is sent behind them, as if it were done then. */
#define ACTS ((mode[me] == UP && ROOM) || mode[me] == DOWN)
#define SENDS (mode[me] == UP && ROOM)
#define tell(type, a, b) if :: mode[me] == UP -> send(type, a, b) :: else fi

proctype Machine(byte me) {
  byte s, a, b, heard;
  byte row[STREAMS], got[STREAMS], had[STREAMS];
  mtype type;

end:
  do
  /* The link. */
  :: atomic { !link && mode[me] != DOWN -> mode[me] = DOWN }
  :: atomic { link && mode[me] == DOWN -> resume() }
  :: atomic { mode[me] == SYNCING && nempty(wire[1 - me]) ->
       wire[1 - me]?type(row[0], got[0], had[0], row[1], got[1], had[1], heard);
       honest(type == TABLE);
       reconcile();
       type = 0
     }
  :: atomic { mode[me] == UP && nempty(wire[1 - me]) ->
       wire[1 - me]?type(a, b, _, _, _, _, _);
       honest(type != TABLE);
       take();
       s = 0; a = 0; b = 0; type = 0
     }
  :: atomic { SENDS && pings > 0 && !side[me].pingOut && (Y(0).row != NO_ROW || Y(1).row != NO_ROW) ->
       pings--;
       side[me].pingOut = 1;
       Y(0).covered = (Y(0).row != NO_ROW);
       Y(1).covered = (Y(1).row != NO_ROW);
       send(PING, 0, 0)
     }
#define PER_STREAM(n) \
  :: atomic { me == HUB && SENDS && Y(n).st == NONE && (n == 0 || Y(0).st != NONE) -> \
       Y(n).st = OPENING; send(OPEN, n, 0) } \
  :: atomic { ACTS && Y(n).st == OFFERED -> \
       Y(n).st = LIVE; answered[n] = 1; tell(OPENED, n, 0) } \
  :: atomic { SENDS && (Y(n).st == LIVE || Y(n).st == OPENING) && \
              Y(n).sent < LENGTH(me, n) && Y(n).sent < Y(n).acked + WINDOW -> \
       send(DATA, n, Y(n).sent); Y(n).sent++ } \
  :: atomic { SENDS && (Y(n).st == LIVE || Y(n).st == OPENING) && Y(n).sent == LENGTH(me, n) -> \
       send(FIN, n, Y(n).sent); Y(n).sent++ } \
  :: atomic { ACTS && Y(n).st == LIVE && Y(n).consumed < Y(n).received -> \
       s = n; X.consumed++; tell(CREDIT, n, X.consumed); \
       if :: mode[me] == UP -> settle() :: else fi; s = 0 } \
  :: atomic { resets > 0 && IS_LIVE(Y(n).st) && (mode[me] != UP || ROOM) -> \
       resets--; s = n; \
       end_as(RESET_HERE, (X.st == LIVE -> ROW_OPEN_RESET : ROW_RESET)); \
       X.dueRst = (mode[me] == SYNCING); tell(RST, n, 0); s = 0 }
  PER_STREAM(0)
  PER_STREAM(1)
  od
}

/* ---- the network ---- */

inline flush(n) {
  do
  :: nempty(wire[n]) -> wire[n]?_, _, _, _, _, _, _, _
  :: empty(wire[n]) -> break
  od
}

proctype Network(byte drops) {
end:
  do
  :: atomic { link && drops > 0 -> drops--; link = 0; flush(0); flush(1) }
  /* Whoever has not noticed the loss does so now: the old link is given up before a new one is taken (§7.4). */
  :: atomic { !link && mode[HUB] == DOWN && mode[AGENT] == DOWN -> link = 1 }
  od
}

init {
  byte drops, s, me;
  atomic {
    select(drops : 0 .. DROPS);
    select(resets : 0 .. RESETS);
    run Machine(HUB);
    run Machine(AGENT);
    run Network(drops)
  }
  /* Nothing moves any more. */
  timeout -> atomic {
    for (s : 0 .. STREAMS - 1) {
      finished(OVER(side[HUB].s[s].st));
      finished(OVER(side[AGENT].s[s].st) || (side[AGENT].s[s].st == NONE && side[HUB].s[s].st == RESET_HERE));
      for (me : 0 .. 1) {
        /* A reset is somebody's. */
        finished(X.st != RESET_THERE || PEER.st == RESET_HERE)
      }
    }
  }
}
