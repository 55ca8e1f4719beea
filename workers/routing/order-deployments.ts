/**
 * Which of several deployments of one model serves a request. Pure: weighted rendezvous hashing (each deployment's score is w / -ln u, with u
 * from a hash of the conversation and the deployment's place), so that a conversation stays where its prompt cache is, conversations are spread by
 * weight, and a deployment that is added or taken away moves no others.
 */

/** Places of the deployments, the chosen one first; those of weight 0 come last, in their own order: only when the others fail. */
export function orderDeployments(weights: readonly number[], hashOf: (place: number) => number): number[] {
  return weights
    .map((weight, place) => ({ place, score: weight === 0 ? 0 : weight / -Math.log((hashOf(place) + 0.5) / 0x1_0000_0000) }))
    .toSorted((left, right) => right.score - left.score || left.place - right.place)
    .map(({ place }) => place);
}
