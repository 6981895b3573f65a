"""A receiver of webhooks that checks every signature by itself and answers as a plan says.

Usage: receiver.py SECRET PLAN_FILE LOG_FILE [PEM_FILE]
With a PEM file, a certificate and its key, it speaks https.
The plan has an answer a line, one for each request in turn, the last one for all further ones: a status, `hang`,
`drop`, or a status and a Retry-After or Location such as `503 7` or `302 http://127.0.0.1:1/`.
Prints the port. Each request is a line of JSON in the log, written before it is answered.
"""

import base64
import hashlib
import hmac
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

secret, plan_path, log_path = sys.argv[1:4]
key = base64.b64decode(secret.removeprefix("whsec_"))
lock = threading.Lock()
count = 0


def next_answer():
    global count
    with open(plan_path) as plan:
        answers = plan.read().split("\n")
    answers = [answer for answer in answers if answer]
    answer = answers[min(count, len(answers) - 1)]
    count += 1
    return answer


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        message_id, timestamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = f"{message_id}.{timestamp}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        good = hmac.compare_digest(expected, self.headers["webhook-signature"])
        with lock:
            answer = next_answer()
            with open(log_path, "a") as log:
                entry = {"id": message_id, "timestamp": int(timestamp), "good": good, "answer": answer,
                         "body": json.loads(body), "type": self.headers["content-type"]}
                log.write(json.dumps(entry) + "\n")
        if answer == "hang":
            time.sleep(60)
            return
        if answer == "drop":
            self.connection.close()
            return
        status, _, extra = answer.partition(" ")
        self.send_response(int(status))
        if status.startswith("3"):
            self.send_header("location", extra)
        elif extra:
            self.send_header("retry-after", extra)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
