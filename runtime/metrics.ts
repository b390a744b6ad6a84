/** Every metric of the system, declared once; each is moved by the code that owns the thing it counts. */
import { Gauge, Histogram, Registry } from "prom-client";
import { createTalliedCounter } from "./tallied-counter.ts";

export const createMetrics = () => {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    createTalliedCounter<Label>({ name, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge<Label>({ name, help, labelNames, registers });
  const histogram = <Label extends string>(name: string, help: string, buckets: number[], ...labelNames: Label[]) =>
    new Histogram<Label>({ name, help, buckets, labelNames, registers });
  const latencyBuckets = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5, 10];

  /** Label values that come from outside, so that their number stays limited. */
  const known = new Map<string, Set<string>>();
  const labelWithin = (label: string, value: string, valuesMax: number): string => {
    const values = known.get(label) ?? new Set();
    known.set(label, values);
    if (!values.has(value) && values.size >= valuesMax) return "other";
    values.add(value);
    return value;
  };

  return {
    registry,
    labelWithin,

    // Detection
    detections: counter("detection_total", "Frames detected on", "camera_id", "model_type"),
    detectionLatency: histogram(
      "detection_latency_seconds",
      "Time of one inference",
      [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
      "camera_id",
      "model_type",
    ),
    detectedObjects: counter("detected_objects_total", "Objects found", "camera_id", "class_name"),
    trafficGroups: counter("traffic_groups_total", "Groups of road users found", "camera_id"),
    activeCameras: gauge("active_cameras", "Cameras that deliver frames"),
    cameraFrames: counter("camera_frames_total", "Frames taken for detection", "camera_id"),
    cameraFps: gauge("camera_fps", "Frames per second taken for detection, over the last 16", "camera_id"),
    captureToDetection: histogram(
      "capture_to_detection_seconds",
      "From capture of a frame to its result at the edge",
      latencyBuckets,
    ),
    captureToVerdict: histogram("capture_to_verdict_seconds", "From capture of a frame to a verdict at the edge", latencyBuckets),

    // Bus
    busSent: counter("kafka_messages_sent_total", "Records acknowledged by the bus", "topic", "camera_id"),
    busSendErrors: counter("kafka_send_errors_total", "Records that the bus did not take", "topic", "error_type"),
    busReceived: counter("kafka_messages_received_total", "Records taken from the bus", "topic", "consumer_group"),
    busLag: gauge("kafka_consumer_lag", "Records behind the end of the partition", "topic", "partition", "consumer_group"),
    busLagSeconds: gauge("consumer_lag_seconds", "Age of the oldest record that is not settled", "topic", "partition", "group"),
    spoolRecords: gauge("bus_spool_records", "Records on this disk that wait for the broker"),
    spoolBytes: gauge("bus_spool_bytes", "What they take"),
    settlementAge: gauge("settlement_age_seconds", "Age of the oldest record in work", "topic"),
    deadLetters: counter("dlq_total", "Records set aside", "topic", "disposition"),

    // Tasks and verdicts
    tasksGenerated: counter("tasks_generated_total", "Assessment tasks made", "camera_id"),
    groupsWithoutTask: counter("groups_without_task_total", "Groups that were not worth a verdict, by reason", "reason"),
    tasksProcessed: counter("tasks_processed_total", "Assessment tasks ended", "status"),
    taskQueue: gauge("task_queue_size", "Assessment tasks held", "queue_type"),
    llmRequests: counter("llm_requests_total", "Calls to a model", "model", "api_key_id", "status"),
    llmLatency: histogram("llm_latency_seconds", "Time of one call", [0.5, 1, 2, 5, 10, 30], "model", "api_key_id"),
    llmTokens: counter("llm_token_usage_total", "Tokens used", "model", "token_type"),
    llmCost: counter("llm_cost_total", "Cost of calls, in the currency of the budget", "model", "pool_id"),
    llmConcurrent: gauge("llm_concurrent_tasks", "Calls in flight", "scheduler_id"),
    llmHedges: counter("llm_hedged_requests_total", "Second calls for one task, while the first was out", "outcome"),
    llmShadow: counter("llm_shadow_total", "Answers of the model asked on the side, against what was published", "outcome"),
    llmRepairs: counter("llm_repairs_total", "Answers that could not be read, by what became of a second call", "outcome"),
    llmFindings: counter("llm_answer_findings_total", "What was mended in answers that were read, by kind", "finding"),
    callsAvoided: counter("llm_calls_avoided_total", "Tasks that ended without a call, by reason", "reason"),
    keyPoolSize: gauge("api_key_pool_size", "Keys in the pool", "pool_id"),
    keyStatus: gauge("api_key_status", "1 available, 2 in use, 3 cooling, 4 disabled", "pool_id", "key_id"),
    keySuccessRate: gauge("api_key_success_rate", "Share of calls that succeeded", "pool_id", "key_id"),
    keyCalls: counter("api_key_total_calls_total", "Calls made with a key", "pool_id", "key_id"),
    keyCooldown: gauge("api_key_cooldown_seconds", "Time until a cooling key is tried again", "pool_id", "key_id"),
    riskAlerts: counter("risk_alerts_total", "Verdicts of low risk or more", "camera_id", "risk_level"),
    riskTypes: counter("risk_types_detected_total", "Kinds of risk named in verdicts", "risk_type"),

    // Runtime
    mailboxDepth: gauge("mailbox_depth", "Messages waiting", "actor"),
    dropped: counter("dropped_total", "Messages and frames let go, by reason", "actor", "type", "reason"),
    restarts: counter("actor_restarts_total", "Restarts by the supervisor", "actor"),
    pipelineErrors: counter("pipeline_errors_total", "Failures that a supervisor handled", "error_type", "component"),
    loopLag: histogram(
      "event_loop_lag_seconds",
      "Lateness of the main loop's timer",
      [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1],
    ),
    wsClients: gauge("websocket_clients", "Connected viewers"),
    systemInfo: gauge("system_info", "Always 1; the version stands in the label", "version", "runtime"),
  };
};

export type Metrics = ReturnType<typeof createMetrics>;
