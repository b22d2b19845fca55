"""What the jobs with other products' clients share: checks that are counted, and a place where nobody answers."""

import socket


def nowhere():
    """An address of this machine where nobody is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def answered(client, route, method="GET"):
    """Requests to a route, as the router has it, that the server has answered, by what it says itself."""
    lines = client.send("GET", "/metrics").body.decode().splitlines()
    ours = (line for line in lines if line.startswith("promptory_http_request_seconds_count{"))
    ours = (line for line in ours if f'method="{method}"' in line and f'route="{route}"' in line)
    return sum(float(line.rsplit(" ", 1)[1]) for line in ours)


class Checks:
    """Counts what was looked at, and keeps what is not as it should be.

    The errors of a client have no common class that is public; `attribute` is where each says what it is.
    """

    def __init__(self, attribute):
        self.attribute, self.count, self.failures = attribute, 0, []

    def equal(self, what, is_, should):
        """Two things that must be equal."""
        self.count += 1
        if is_ != should:
            self.failures.append(f"{what}: is {is_!r}, should be {should!r}")

    def raises(self, what, refusal, call):
        """A call that must be refused so."""
        self.count += 1
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever else comes is told
            if getattr(error, self.attribute, None) != refusal:
                self.failures.append(f"{what}: {error!r}, should be {refusal}")
        else:
            self.failures.append(f"{what}: was not refused")
