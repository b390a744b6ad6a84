"""Task generator, scheduler and aggregator as programs of their own, in Python: what Vedette's roles of the same names are
measured beside. Kafka by confluent-kafka, the model by aiohttp, JSON on the topics with pictures in base64, as the first
systems had it. What they did wrong and what costs nothing is left out: a key is not kept to one call at a time, a session is
kept open, a picture travels once.

python3 service.py feed|generator|scheduler|aggregator BOOTSTRAP RECORDS [LLM_URL] [IN_FLIGHT] [IMAGE_BYTES]
"""

import asyncio
import base64
import json
import sys
import threading
import time
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

role, bootstrap, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
llm_url = sys.argv[4] if len(sys.argv) > 4 else ""
in_flight = int(sys.argv[5]) if len(sys.argv) > 5 else 50
image_bytes = int(sys.argv[6]) if len(sys.argv) > 6 else 10_000

DETECTIONS, TASKS, RESULTS, MERGED = "peer-detections", "peer-tasks", "peer-results", "peer-merged"
RANKS = {"none": 0, "low": 1, "medium": 2, "high": 3}
PROMPT = (
    "You are a professional traffic safety analyst. Look for tailgating, sudden lane changes, red-light running and conflicts "
    "of vehicles and pedestrians. Answer in JSON only: riskLevel (none, low, medium, high), confidence, riskTypes, description, "
    "dangerObjectCount, triggerObjectIds."
)


def say(text):
    print(text, flush=True)


def producer():
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "snappy",
            "linger.ms": 10,
            "acks": "all",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )


def consumer(topic, group):
    made = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 5000,
            "session.timeout.ms": 30000,
        }
    )
    made.subscribe([topic])
    say("ready")
    return made


def produce(to, topic, key, value):
    body = json.dumps(value).encode()
    while True:
        try:
            to.produce(topic, body, key=key)
            break
        except BufferError:
            to.poll(0.1)
    to.poll(0)


def messages(topic, group):
    source = consumer(topic, group)
    while True:
        for message in source.consume(100, 0.1):
            if message.error() is None:
                yield json.loads(message.value())


def feed():
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(name, num_partitions=16, replication_factor=1) for name in (DETECTIONS, TASKS, RESULTS, MERGED)]
    for future in admin.create_topics(topics).values():
        future.result()
    to = producer()
    image = base64.b64encode(bytes([7]) * image_bytes).decode()
    for index in range(records):
        objects = [
            {"class": "car", "confidence": 0.91, "bbox": [10.5 * each, 100.25, 10.5 * each + 80, 180.75], "level": 0}
            for each in range(8)
        ]
        group = {
            "groupIndex": 1,
            "objectCount": 3,
            "bbox": [10.5, 100.25, 120.5, 180.75],
            "classes": ["car"],
            "averageConfidence": 0.91,
            "memberIndices": [0, 1, 2],
        }
        picture = {"groupIndex": 1, "objectCount": 3, "classes": ["car"], "imageBase64": image}
        produce(
            to,
            DETECTIONS,
            str(index % 50),
            {
                "messageId": str(uuid.uuid4()),
                "cameraId": index % 50,
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "detectedObjects": objects,
                "trafficGroups": [group],
                "groupImages": [picture],
                "imageWidth": 1280,
                "imageHeight": 720,
            },
        )
    to.flush()
    say("fed")


def generator():
    to = producer()
    for detection in messages(DETECTIONS, "simple-task-generator"):
        groups = {group["groupIndex"]: group for group in detection["trafficGroups"]}
        for picture in detection["groupImages"]:
            group = groups.get(picture["groupIndex"])
            if group is None or not picture["imageBase64"] or group["objectCount"] < 2:
                continue
            objects = detection["detectedObjects"]
            members = [objects[index] for index in group["memberIndices"] if 0 <= index < len(objects)]
            produce(
                to,
                TASKS,
                str(detection["cameraId"]),
                {
                    "taskId": f"{detection['messageId']}_group{group['groupIndex']}",
                    "requestId": detection["messageId"],
                    "groupsOfRequest": len(detection["groupImages"]),
                    "cameraId": detection["cameraId"],
                    "timestamp": detection["timestamp"],
                    "groupIndex": group["groupIndex"],
                    "groupImageBase64": picture["imageBase64"],
                    "detectedObjects": members,
                    "groupMetadata": {key: group[key] for key in ("objectCount", "classes", "bbox")},
                },
            )


def scheduler():
    import aiohttp

    to = producer()

    async def ask(session, task):
        lines = "\n".join(f"{each['class']} {each['confidence']:.2f} {each['bbox']}" for each in task["detectedObjects"])
        body = {
            "model": "sim-vl",
            "messages": [
                {"role": "system", "content": "You are a professional traffic safety analyst."},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{task['groupImageBase64']}"}},
                        {"type": "text", "text": f"{PROMPT}\n{lines}"},
                    ],
                },
            ],
        }
        for attempt in range(3):
            try:
                async with session.post(
                    f"{llm_url}/chat/completions", json=body, headers={"authorization": "Bearer sk-1"}
                ) as answer:
                    if answer.status == 200:
                        said = (await answer.json())["choices"][0]["message"]["content"]
                        found = json.loads(said[said.index("{") : said.rindex("}") + 1])
                        return found["results"][0] if found.get("results") else found
            except (aiohttp.ClientError, asyncio.TimeoutError, ValueError, KeyError):
                pass
            await asyncio.sleep(2**attempt)
        return None

    async def handle(session, room, task):
        began = time.monotonic()
        try:
            verdict = await ask(session, task)
        finally:
            room.release()
        results = []
        if verdict is not None:
            level = str(verdict.get("riskLevel", "none")).lower()
            results = [
                {
                    "groupIndex": task["groupIndex"],
                    "riskLevel": level if level in RANKS else "none",
                    "confidence": float(verdict.get("confidence", 0)),
                    "riskTypes": verdict.get("riskTypes", []),
                    "description": verdict.get("description", ""),
                }
            ]
        produce(
            to,
            RESULTS,
            str(task["cameraId"]),
            {
                "messageId": f"{task['taskId']}_result",
                "requestId": task["requestId"],
                "groupsOfRequest": task["groupsOfRequest"],
                "cameraId": task["cameraId"],
                "timestamp": task["timestamp"],
                "results": results,
                "metadata": {"llmLatency": time.monotonic() - began, "llmModel": "sim-vl"},
            },
        )

    async def run():
        loop = asyncio.get_running_loop()
        waiting = asyncio.Queue(maxsize=1000)

        def read():
            for task in messages(TASKS, "llm-task-scheduler"):
                asyncio.run_coroutine_threadsafe(waiting.put(task), loop).result()

        threading.Thread(target=read, daemon=True).start()
        room = asyncio.Semaphore(in_flight)
        under_way = set()
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            while True:
                task = await waiting.get()
                await room.acquire()
                handling = asyncio.create_task(handle(session, room, task))
                under_way.add(handling)
                handling.add_done_callback(under_way.discard)

    asyncio.run(run())


def aggregator():
    to = producer()
    pending, merged, first, answered = {}, 0, 0.0, 0
    warm = max(1, records // 3)  # the first third is for the other side's compiler
    for result in messages(RESULTS, "result-aggregator"):
        parts = pending.setdefault(result["requestId"], [])
        parts.append(result)
        if len(parts) < result["groupsOfRequest"]:
            continue
        del pending[result["requestId"]]
        found = [each for part in parts for each in part["results"]]
        worst = max((each["riskLevel"] for each in found), key=RANKS.get, default="none")
        produce(
            to,
            MERGED,
            str(result["cameraId"]),
            {
                "requestId": result["requestId"],
                "cameraId": result["cameraId"],
                "riskAssessment": {"allGroupResults": found, "resultCount": len(found)},
                "hasDangerousDriving": worst != "none",
                "maxRiskLevel": worst,
                "llmLatency": max(part["metadata"]["llmLatency"] for part in parts),
            },
        )
        merged += 1
        answered += len(found)
        if merged == warm:
            first = time.monotonic()
        if merged == records:
            to.flush()
            say(f"merged {merged} answered {answered} in {time.monotonic() - first:.6f} s")


{"feed": feed, "generator": generator, "scheduler": scheduler, "aggregator": aggregator}[role]()
