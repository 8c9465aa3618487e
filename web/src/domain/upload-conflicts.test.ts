import { expect, test } from "vitest";
import { type Answer, Conflicts } from "./upload-conflicts";

function questions(...answers: (Answer | null)[]) {
  const asked: string[] = [];
  const conflicts = new Conflicts(async (name, more) => {
    asked.push(`${name} ${more}`);
    return answers.shift() ?? null;
  });
  const decide = (name: string, wanted = true) =>
    conflicts.decide(
      name,
      () => 2,
      () => wanted,
    );
  return { asked, decide };
}

test("one is asked about after the other", async () => {
  const { asked, decide } = questions(
    { choice: "replace", all: false },
    { choice: "skip", all: false },
  );
  expect(await Promise.all([decide("a"), decide("b")])).toEqual(["replace", "skip"]);
  expect(asked).toEqual(["a 2", "b 2"]);
});

test("an answer for all that follow is the last that is asked for", async () => {
  const { asked, decide } = questions({ choice: "keep-both", all: true });
  expect(await Promise.all([decide("a"), decide("b"), decide("c")])).toEqual([
    "keep-both",
    "keep-both",
    "keep-both",
  ]);
  expect(asked).toEqual(["a 2"]);
});

test("a question that is left decides nothing, also not for others", async () => {
  const { asked, decide } = questions(null, { choice: "skip", all: false });
  expect(await decide("a")).toBeNull();
  expect(await decide("b")).toBe("skip");
  expect(asked).toHaveLength(2);
});

test("what was taken back meanwhile is not asked about", async () => {
  const { asked, decide } = questions();
  expect(await decide("a", false)).toBeNull();
  expect(asked).toEqual([]);
});
