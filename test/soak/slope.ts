/** One value over time. */
export interface Point {
  /** Seconds since the start. */
  readonly at: number;
  readonly value: number;
}

/** The later half of a run, when everything has been used and grown to its size. */
export function secondHalf(points: readonly Point[]): readonly Point[] {
  const from = ((points[0]?.at ?? 0) + (points.at(-1)?.at ?? 0)) / 2;
  return points.filter(({ at }) => at >= from);
}

/** Least squares: by how much the value grows in a second. 0 for fewer than two points. */
export function slope(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [at, value] = [mean((point) => point.at), mean((point) => point.value)];
  let [covariance, variance] = [0, 0];
  for (const point of points) {
    covariance += (point.at - at) * (point.value - value);
    variance += (point.at - at) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}

/** What the line through the points rises by from the first to the last of them. */
export function rise(points: readonly Point[]): number {
  return slope(points) * ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0));
}
