/** Lanes are numbered in each account; the name is stored with a hold and the number is part of a request's public id. */

export function laneName(lane: number): string {
  return `lane-${lane}`;
}

/** The number of a lane by its stored name. */
export function laneOf(name: string): number {
  return Number(name.slice("lane-".length));
}
