/** Calls of a conversation that wait for their results, for wires whose results name a call by its function, or by nothing but their order. */

export interface PendingCall {
  id: string;
  name: string;
}

/** Each `take` gives the first call that fits and has no result yet, and takes it out; its cost does not grow with the conversation. */
export interface PendingCalls {
  add: (call: PendingCall) => void;
  takeById: (id: string) => PendingCall | undefined;
  takeByName: (name: string) => PendingCall | undefined;
  takeFirst: () => PendingCall | undefined;
}

interface Waiting {
  call: PendingCall;
  isTaken: boolean;
}

/** Calls in order, of which those before `next` are taken. */
interface Line {
  calls: Waiting[];
  next: number;
}

function takeFrom(line: Line | undefined): PendingCall | undefined {
  if (line === undefined) return undefined;
  while (line.calls[line.next]?.isTaken === true) line.next += 1;
  const first = line.calls[line.next];
  if (first !== undefined) first.isTaken = true;
  return first?.call;
}

function addTo(lines: Map<string, Line>, key: string, waiting: Waiting): void {
  const line = lines.get(key);
  if (line === undefined) lines.set(key, { calls: [waiting], next: 0 });
  else line.calls.push(waiting);
}

export function createPendingCalls(): PendingCalls {
  const all: Line = { calls: [], next: 0 };
  const byId = new Map<string, Line>();
  const byName = new Map<string, Line>();
  return {
    add(call) {
      const waiting = { call, isTaken: false };
      all.calls.push(waiting);
      addTo(byId, call.id, waiting);
      addTo(byName, call.name, waiting);
    },
    takeById: (id) => takeFrom(byId.get(id)),
    takeByName: (name) => takeFrom(byName.get(name)),
    takeFirst: () => takeFrom(all),
  };
}
