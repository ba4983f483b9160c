"""The way from Python into the compiled functions of a connection: by its number in the table.

Models: nothing; it asks for room and then calls transfer.py.
Leaves out: nothing.
Sources: measured: a record handed over from Python costs 7 us, a table and a number 0.4 us.
Checked by: tests/models/tcp/test_connection.py, test_channel.py.
"""

from models.offload.kernel import njit
from models.tcp import receiver, transfer
from models.tcp.output import send_ack
from models.tcp.sender import pump

RECEIVE, TIMER, PUMP, READ, CLOSE, ACKNOWLEDGE = range(6)


@njit
def call(records, number, what, n_bytes, seg, now_ps, sent, held, out):
    """Do `what` to connection `number`; False, and nothing done, without room for whatever may come of it.

    `n_bytes` is for READ, `seg` int64[SEGMENT_WORDS] for RECEIVE."""
    c = records[number]
    mine, kept = sent[number], held[number]
    if not transfer.has_room(c, mine, kept, out):
        return False
    if what == RECEIVE:
        transfer.receive(c, seg, now_ps, mine, kept, out)
    elif what == TIMER:
        transfer.timer(c, now_ps, mine, kept, out)
    elif what == PUMP:
        pump(c, now_ps, mine, out)
    elif what == READ:
        transfer.read(c, n_bytes, now_ps, kept, out)
    elif what == CLOSE:
        transfer.close(c, now_ps, mine, out)
    else:
        send_ack(c, now_ps, kept, out)
    return True


@njit
def next_timer_ps(records, number):
    """Of connection `number` [ps]."""
    return transfer.next_timer_ps(records[number])


@njit
def readable_bytes(records, number):
    """Of connection `number`."""
    return receiver.readable_bytes(records[number])
