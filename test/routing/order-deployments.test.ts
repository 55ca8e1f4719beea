/** Which of several deployments of one model serves a conversation. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { orderDeployments } from "../../workers/routing/order-deployments.ts";

const hashOf = (conversation: number) => (place: number) =>
  createHash("sha256").update(`${conversation} ${place}`).digest().readUInt32BE(0);

function shares(weights: readonly number[]): number[] {
  const firsts = Array.from({ length: 20_000 }, (_, conversation) => orderDeployments(weights, hashOf(conversation))[0]);
  return weights.map((_, place) => firsts.filter((first) => first === place).length / firsts.length);
}

test("conversations are spread by weight", () => {
  const [heavy = 0, light = 0] = shares([3, 1]);
  expect(heavy).toBeCloseTo(0.75, 1);
  expect(light).toBeCloseTo(0.25, 1);
});

test("a conversation stays with its deployment, also when another one is added that does not win it", () => {
  for (let conversation = 0; conversation < 500; conversation++) {
    const before = orderDeployments([1, 1], hashOf(conversation));
    expect(orderDeployments([1, 1], hashOf(conversation))).toEqual(before);
    const after = orderDeployments([1, 1, 1], hashOf(conversation));
    expect(after.filter((place) => place !== 2)).toEqual(before);
  }
});

test("a deployment of weight 0 is only asked when all others have failed", () => {
  for (let conversation = 0; conversation < 100; conversation++)
    expect(orderDeployments([0, 5, 0, 1], hashOf(conversation)).slice(2)).toEqual([0, 2]);
});
