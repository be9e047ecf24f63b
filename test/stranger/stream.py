"""What one side knows of a stream: two halves, each a few absolute numbers (§5.1)."""


class Stream:
    def __init__(self, cid, ours, connector, client, granted, limit):
        self.cid, self.ours, self.connector, self.client = cid, ours, connector, client
        self.answered = False  # OPENED was sent or has arrived
        self.held = []  # events of before our OPENED
        # The sending half. `kept` holds what the peer has not acknowledged, and what is not sent yet.
        self.kept, self.acked, self.sent, self.limit = bytearray(), 0, 0, limit
        self.fin = self.fin_sent = self.fin_acked = False
        # The receiving half. `received` and `consumed` count the FIN, as on the wire.
        self.received, self.consumed, self.told, self.granted = 0, 0, 0, granted
        self.fin_received = False

    @property
    def written(self):
        return self.acked + len(self.kept)

    @property
    def unsent(self):
        return self.written - self.sent

    @property
    def fin_consumed(self):
        return self.fin_received and self.consumed == self.received
