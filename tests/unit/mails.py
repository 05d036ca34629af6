"""Build mails by hand, also such as no mail program would."""

import base64

TABLE = b"VIN\tYear\tMake\r\nA\t2020\tFord\r\n"


def chunked(data, size=1000):
    """Give bytes as content, so many at a time."""
    return lambda: (data[start : start + size] for start in range(0, len(data), size))


def part(headers, body=TABLE):
    return b"".join(line + b"\r\n" for line in headers) + b"\r\n" + body


def mail(*parts, boundary=b"=_x", end=b"--"):
    head = b"From: a@dealer.example\r\nContent-Type: multipart/mixed; boundary=" + boundary
    lines = b"".join(b"\r\n--" + boundary + b"\r\n" + each for each in parts)
    return head + b"\r\n\r\npreamble" + lines + b"\r\n--" + boundary + end + b"\r\nepilogue"


def named(name):
    return b"Content-Disposition: attachment; filename=" + name


def nested(depth, leaf, boundary=b"b%d"):
    """Put a part into so many multiparts, one in the other, none of which ends."""
    for level in reversed(range(depth)):
        name = boundary % level
        head = b"Content-Type: multipart/mixed; boundary=" + name
        leaf = part([head], b"--" + name + b"\r\n" + leaf)
    return leaf


def forwarded(raw, encoding=b"base64"):
    """Put a message into another one."""
    coded = base64.encodebytes(raw) if encoding == b"base64" else raw
    return part([b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: " + encoding], coded)


NOTE = part([b"Content-Type: text/plain"], b"Dear all, find it attached")
LOT = part([named(b"lot.tsv")])
