/** `monitoring.yaml`: the metrics port is ours too; the rest says where its purpose is served here. */
import type { Path } from "../shape.ts";
import type { Mapping, Row } from "./mapping.ts";

export const monitoringRows = (to: Mapping): Record<string, Row> => ({
  prometheus: (value: unknown, from: Path) =>
    to.section(value, from, {
      enabled: (inner, at) => {
        if (inner === false) to.warn(at, "metrics stay on; they cost next to nothing and cameras are judged by them");
      },
      port: (inner, at) => to.set(["observability", "port"], inner, at),
      host: "metrics listen on server.host",
      path: (inner, at) => {
        if (inner !== "/metrics") to.warn(at, "the path is always /metrics");
      },
      scrape_interval: "it is Prometheus that decides how often it asks; see deploy/",
      interval_seconds: "metrics are made up when Prometheus asks",
    }),
  log_level: (value, from) => {
    const level = String(value).toLowerCase();
    to.set(
      ["observability", "logLevel"],
      { warning: "warn", critical: "error", trace: "debug", success: "info" }[level] ?? level,
      from,
    );
  },
  slow_query_threshold: "slow calls are counted in llm_latency_seconds",
  alerts: "alert rules for Prometheus stand in deploy/",
  alerting: "alert rules for Prometheus stand in deploy/",
  grafana: "dashboards stand in deploy/",
  logging: "lines go to standard output as JSON; observability.logLevel sets the least level",
  tracing: "trace ids travel with every message; an exporter is not built in",
  health_checks: "/livez and /readyz judge the parts all the time",
  health_check: "/livez and /readyz judge the parts all the time",
  profiling: "not offered",
  audit: "changes are log events",
  audit_log: "changes are log events",
  metrics: "every metric is always on",
});
