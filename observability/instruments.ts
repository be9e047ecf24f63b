import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

type Labels<Label extends string> = Readonly<Record<Label, string>>;

/** `inc({}, n)` on a counter without labels is `inc(n)`. */
export interface CounterOf<Label extends string> {
  inc(labels: Labels<Label>, value?: number): void;
  inc(value?: [Label] extends [never] ? number : never): void;
}

export interface GaugeOf<Label extends string> {
  set(labels: Labels<Label>, value: number): void;
  reset(): void;
}

export interface HistogramOf<Label extends string> {
  observe(labels: Labels<Label>, value: number): void;
  /** Shows the series before its first observation. */
  zero(labels: Labels<Label>): void;
}

const PREFIX = 'nowconnect_';

/** Gauges whose names end in _total, which `promtool check metrics` rejects. */
const REJECTED_BY_PROMTOOL = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** A private Prometheus registry; nothing goes into prom-client's global one. */
export class Instruments {
  readonly #registry = new Registry();

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text exposition format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** @param shown false: it can be called, and does not appear */
  counter<Label extends string = never>(
    name: string,
    help: string,
    options: {
      readonly labels?: readonly Label[];
      readonly shown?: boolean;
      readonly collect?: (counter: CounterOf<Label>) => void;
    } = {},
  ): CounterOf<Label> {
    const { labels = [], collect } = options;
    const counter: Counter<Label> = new Counter<Label>({
      name: PREFIX + name,
      help,
      labelNames: labels,
      registers: this.#registers(options.shown),
      ...(collect && { collect: () => collect(counter) }),
    });
    return counter;
  }

  /** @param collect sets the gauge at every scrape; when it throws, that scrape shows no series (NaN without labels) */
  gauge<Label extends string = never>(
    name: string,
    help: string,
    options: {
      readonly labels?: readonly Label[];
      readonly shown?: boolean;
      readonly collect?: (gauge: GaugeOf<Label>) => void;
    } = {},
  ): GaugeOf<Label> {
    const { labels = [], collect } = options;
    const gauge: Gauge<Label> = new Gauge<Label>({
      name: PREFIX + name,
      help,
      labelNames: labels,
      registers: this.#registers(options.shown),
      ...(collect && { collect: () => collectSafely(gauge, collect, labels.length > 0) }),
    });
    return gauge;
  }

  histogram<Label extends string = never>(
    name: string,
    help: string,
    options: {
      readonly buckets: readonly number[];
      readonly labels?: readonly Label[];
      readonly shown?: boolean;
    },
  ): HistogramOf<Label> {
    return new Histogram<Label>({
      name: PREFIX + name,
      help,
      labelNames: options.labels ?? [],
      buckets: [...options.buckets],
      registers: this.#registers(options.shown),
    });
  }

  /** CPU, memory, file descriptors, event loop and garbage collection of this process. */
  addProcessMetrics(): void {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of REJECTED_BY_PROMTOOL) this.#registry.removeSingleMetric(name);
  }

  #registers(shown = true): Registry[] {
    return shown ? [this.#registry] : [];
  }
}

function collectSafely<Label extends string>(
  gauge: Gauge<Label>,
  collect: (gauge: GaugeOf<Label>) => void,
  labelled: boolean,
): void {
  try {
    collect(gauge);
  } catch {
    // One broken source must not take every other metric with it. A wrong number would be worse than none.
    gauge.reset();
    if (!labelled) gauge.set(Number.NaN);
  }
}
