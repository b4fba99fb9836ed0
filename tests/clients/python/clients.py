"""pika, redis-py and celery on the loopback servers whose URLs the environment tells.

AMQP_URL and REDIS_URL; the values of both are what `cargo run --example serve` prints.
"""

import os
import subprocess
import sys

import celery
import pika
import redis

AMQP_URL = os.environ["AMQP_URL"]
REDIS_URL = os.environ["REDIS_URL"]

app = celery.Celery("clients", broker=AMQP_URL, backend=REDIS_URL)
app.conf.broker_connection_retry_on_startup = False


@app.task
def add(a, b):
    return a + b


def run_pika():
    with pika.BlockingConnection(pika.URLParameters(AMQP_URL)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("from_python")
        for i in range(100):
            channel.basic_publish("", "from_python", bytes([i]), mandatory=True)
        bodies = []
        for method, _, body in channel.consume("from_python"):
            bodies.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(bodies) == 100:
                break
        assert bodies == [bytes([i]) for i in range(100)], bodies
        try:
            channel.basic_publish("nowhere", "key", b"")
            raise AssertionError("nothing was refused")
        except pika.exceptions.ChannelClosedByBroker as error:
            assert error.reply_code == 404, error


def run_redis_py():
    for protocol in (2, 3):
        client = redis.Redis.from_url(REDIS_URL, protocol=protocol)
        client.delete("k", "z")
        assert client.set("k", 1, ex=3600)
        assert client.pipeline(transaction=True).incr("k").get("k").execute() == [2, b"2"]
        client.zadd("z", {"a": 1.5, "b": 2})
        assert client.zrange("z", 0, -1) == [b"a", b"b"]
        with client.pubsub() as messages:
            messages.subscribe("news")
            assert messages.get_message(timeout=10)["type"] == "subscribe"
            client.publish("news", "hello")
            assert messages.get_message(timeout=10)["data"] == b"hello"
        try:
            client.incr("z")
            raise AssertionError("nothing was refused")
        except redis.ResponseError as error:
            assert str(error).startswith("WRONGTYPE"), error


def run_celery():
    worker = [sys.executable, "-m", "celery", "-A", "clients", "worker", "--pool", "solo"]
    # Without its gossip a single worker is ready at once.
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "error"]
    here = os.path.dirname(os.path.abspath(__file__))
    with subprocess.Popen(worker + quiet, cwd=here, stdout=subprocess.DEVNULL) as process:
        try:
            results = [add.delay(i, i) for i in range(10)]
            assert [result.get(timeout=60) for result in results] == [2 * i for i in range(10)]
        finally:
            process.terminate()


if __name__ == "__main__":
    for run in (run_pika, run_redis_py, run_celery):
        run()
        print(f"{run.__name__.removeprefix('run_')}: as expected")
