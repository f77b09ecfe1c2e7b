import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { Line, LinePage, ListEvents, PageRequest } from "../../../viewer/log/model/lineList";
import { MAX_LINES, MatchingLog, type Place } from "../../../viewer/log/model/matchingLog";
import { MAX_PAGES, PAGE, WholeLog } from "../../../viewer/log/model/wholeLog";

function line(seq: number): Line {
  const message = `line ${seq}`;
  return {
    seq,
    preview: { head: message, tail: null, hiddenLines: 0, hiddenCharacters: 0, exception: null },
    messageLength: message.length,
    timestamp: "2026-11-26T21:00:00.000000Z",
    level: "INFO",
    stage: "main",
    taskId: null,
    metadata: null,
  };
}

function lines(from: number, to: number): Line[] {
  return Array.from({ length: to - from + 1 }, (_, index) => line(from + index));
}

/** A service with lines, which notes what it is asked for. */
class Service {
  readonly asked: PageRequest[] = [];
  aborted = 0;
  isDown = false;
  largest = Infinity;

  constructor(readonly lines: Line[]) {}

  load = async (request: PageRequest, signal: AbortSignal): Promise<LinePage> => {
    this.asked.push(request);
    signal.addEventListener("abort", () => { this.aborted++; });
    await sleep(1, undefined, { signal });
    if (this.isDown) throw new Error("down");
    const { sinceSeq = 0, untilSeq = Infinity, first, last } = request;
    const inside = this.lines.filter(({ seq }) => seq >= sinceSeq && seq < untilSeq);
    const size = Math.min(first ?? last ?? 100, this.largest);
    const page = last === undefined ? inside.slice(0, size) : inside.slice(-size);
    const isCut = page.length < inside.length;
    return { lines: page, hasNext: last === undefined && isCut, hasPrevious: last !== undefined && isCut };
  };
}

class Events implements ListEvents {
  changes = 0;
  errors: unknown[] = [];
  changed = (): void => { this.changes++; };
  loaded = (): void => undefined;
  failed = (error: unknown): boolean => {
    this.errors.push(error);
    return true;
  };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, "it never came to be");
    await sleep(1);
  }
}

void test("any part of a whole log is loaded when it is looked at", async () => {
  const service = new Service(lines(1, 10_000));
  const log = new WholeLog(service.load, new Events(), 1, 10_000);
  assert.equal(log.at(5_000), "loading");
  log.look(4_950, 5_010);
  await until(() => log.at(5_000) !== "loading" && log.at(5_009) !== "loading");
  assert.equal((log.at(5_000) as Line).seq, 5_000);
  assert.equal(log.at(100), "loading");
  assert.ok(service.asked.length <= 3);
  log.close();
});

void test("a part that is passed by is not waited for", async () => {
  const service = new Service(lines(1, 10_000));
  const log = new WholeLog(service.load, new Events(), 1, 10_000);
  log.look(1_000, 1_050);
  log.look(9_000, 9_050);
  await until(() => log.at(9_000) !== "loading");
  assert.ok(service.aborted > 0);
  assert.equal(log.at(1_000), "loading");
  log.close();
});

void test("lines that retention deleted are said to be pruned, wherever they were", async () => {
  const service = new Service([...lines(901, 950), ...lines(1_001, 2_000)]);
  const log = new WholeLog(service.load, new Events(), 901, 2_000);
  assert.deepEqual([log.start, log.slotOf(1)], [901, 901]);
  log.look(901, 1_010);
  await until(() => log.at(951) === "pruned" && log.at(1_001) !== "loading");
  assert.equal((log.at(901) as Line).seq, 901);
  assert.deepEqual(log.holeAt(970), { from: 951, to: 1_000 });
  log.close();
});

void test("a long hole is found at one look", async () => {
  const service = new Service([...lines(1, 100), ...lines(500_001, 500_100)]);
  const log = new WholeLog(service.load, new Events(), 1, 500_100);
  log.look(80, 120);
  await until(() => log.at(101) === "pruned");
  assert.deepEqual(log.holeAt(300_000), { from: 101, to: 500_000 });
  const asked = service.asked.length;
  log.look(90, 500_010);
  await until(() => typeof log.at(500_001) === "object");
  assert.ok(service.asked.length - asked <= 2);
  assert.ok(log.takeHoles().some(({ from, to }) => from === 101 && to === 500_000));
  log.close();
});

void test("pages that end early for their size are completed", async () => {
  const service = new Service(lines(1, 400));
  service.largest = 30;
  const log = new WholeLog(service.load, new Events(), 1, 400);
  log.look(1, 100);
  await until(() => lines(1, 100).every(({ seq }) => typeof log.at(seq) === "object"));
  log.close();
});

void test("new lines come at the end once, and a part that was skipped is loaded when it is looked at", async () => {
  const service = new Service(lines(1, 50_000));
  const log = new WholeLog(service.load, new Events(), 1, 100);
  log.append(lines(101, 150));
  log.append(lines(140, 160));
  assert.equal(log.end, 161);
  log.skipTo(50_000);
  assert.equal(log.end, 50_001);
  log.look(30_000, 30_020);
  await until(() => typeof log.at(30_010) === "object");
  log.close();
});

void test("a whole log keeps a bounded number of pages, those in view among them", async () => {
  const service = new Service(lines(1, PAGE * (MAX_PAGES + 50)));
  const log = new WholeLog(service.load, new Events(), 1, service.lines.length);
  log.look(1, 50);
  await until(() => typeof log.at(1) === "object");
  log.append(service.lines);
  assert.equal(typeof log.at(1), "object");
  assert.equal(log.at(PAGE * 3 + 1), "loading");
  log.close();
});

void test("a service that is away is asked again", async () => {
  const service = new Service(lines(1, 100));
  const events = new Events();
  const log = new WholeLog(service.load, events, 1, 100);
  service.isDown = true;
  log.look(1, 50);
  await until(() => events.errors.length > 0);
  service.isDown = false;
  await until(() => typeof log.at(1) === "object");
  log.close();
});

async function matching(service: Service, place: Place): Promise<MatchingLog> {
  return MatchingLog.open(service.load, new Events(), place, new AbortController().signal);
}

function content(log: MatchingLog): number[] {
  return Array.from({ length: log.end - log.start }, (_, index) => (log.at(log.start + index) as Line).seq);
}

const EVERY_TENTH = lines(1, 40_000).filter(({ seq }) => seq % 10 === 0);

void test("matching lines grow towards the end that is looked at, and end there", async () => {
  const service = new Service(EVERY_TENTH);
  const log = await matching(service, "end");
  assert.equal(log.isAtEnd, true);
  assert.equal(content(log).at(-1), 40_000);
  while (!log.isAtStart) {
    const before = log.start;
    log.look(log.start, log.start + 40);
    await until(() => log.start < before);
  }
  assert.deepEqual(content(log), EVERY_TENTH.map(({ seq }) => seq));
  log.close();
});

void test("matching lines open around a line", async () => {
  const log = await matching(new Service(EVERY_TENTH), 20_005);
  assert.equal((log.at(log.slotOf(20_005)) as Line).seq, 20_010);
  assert.deepEqual([log.isAtStart, log.isAtEnd, log.slotOf(20_005)], [false, false, 0]);
  assert.deepEqual([log.covers(20_005), log.covers(1), log.covers(40_000)], [true, false, false]);
  log.close();
});

void test("what is captured while the end is being loaded is not passed over", async () => {
  const service = new Service(EVERY_TENTH.slice(0, 1_000));
  const log = await matching(service, "start");
  service.lines.push(line(10_010));
  while (!log.isAtEnd) {
    const { end } = log;
    log.look(log.end - 20, log.end);
    log.append([line(10_010)]);
    await until(() => log.end > end);
  }
  log.append([line(10_010), line(10_020)]);
  assert.deepEqual(content(log).slice(-3), [10_000, 10_010, 10_020]);
  assert.equal(new Set(content(log)).size, content(log).length);
  log.close();
});

void test("a flood of matching lines is bounded, and leaves what is looked at", async () => {
  const service = new Service(lines(1, 1_000));
  const log = await matching(service, "end");
  log.look(log.start, log.start + 40);
  await until(() => log.isAtStart || content(log)[0] === 401);
  const first = content(log)[0];
  log.append(lines(1_001, 1_000 + MAX_LINES));
  assert.ok(log.end - log.start <= MAX_LINES);
  assert.equal(content(log)[0], first);
  assert.equal(log.isAtEnd, false);
  log.close();
});
