import { expect, test } from "@jest/globals";
import { PasswordStrength } from "./strength.ts";

const strength = new PasswordStrength();
const ada = { email: "ada.lovelace@example.com", name: "Ada King Lovelace" };
const choose = (password: string) => strength.assertStrong("newPassword", password, ada);

test.each([
  ["a password of every leak", "password1"],
  ["digits in a row", "12345678"],
  ["a row of the keyboard", "qwertyuiop"],
  ["a letter again and again", "aaaaaaaaaaaa"],
  ["a word in disguise", "P4$$w0rd!"],
  ["a leak with its ends decorated", "Password123!"],
  ["the address", "ada.lovelace@example.com"],
  ["the name", "adalovelace"],
  ["the name in capitals with a year", "Lovelace1815"],
  ["a short thing many times", "abcabcabcabcabcabcabcabcabcabcabc"],
])("%s is refused, and the message says why", async (_name, password) => {
  await expect(choose(password)).rejects.toMatchObject({
    type: "WEAK_PASSWORD",
    code: 422,
    message: expect.stringMatching(/^is easy to guess: [a-z].*[^.]$/),
    data: { errors: [{ field: "newPassword" }] },
  });
});

test.each([
  ["the local part of the address", "kowalska.zuzanna", { email: "kowalska.zuzanna@example.com", name: "Z" }],
  ["the words of the name, turned round", "Kowalska_zuzanna", { email: "z@example.com", name: "Zuzanna Kowalska" }],
  ["a name in full-width letters", "kowalska zuzanna", { email: "z@example.com", name: "\uff3auzanna \uff2bowalska" }],
  ["a name with a mark in it", "zuzanna-kowalska", { email: "z@example.com", name: "Zuzanna/Kowalska" }],
  ["the name and a year", "Zuzanna.Kowalska1987", { email: "z@example.com", name: "Zuzanna Kowalska" }],
  ["a name without its accents", "jose.ramirez", { email: "j@example.com", name: "José Ramírez" }],
  ["a name with accents of its own", "jösé-ramirez", { email: "j@example.com", name: "Jose Ramirez" }],
  ["a name with signs in it", "K0walska_Zuzanna!", { email: "z@example.com", name: "Zuzanna Kowalska" }],
  ["the same, turned round", "$0wal5k4-2uz4nn@", { email: "z@example.com", name: "Zuzanna Sowalska" }],
  ["a name with signs and no accents", "L0p3z_Nun3z", { email: "x@example.com", name: "Núñez López" }],
  ["a name with letters that have no accent to lose", "lukasz_zolc99", { email: "l@example.com", name: "Łukasz Żółć" }],
  ["an umlaut in two letters", "juergen.mueller1", { email: "x@example.com", name: "Jürgen Müller" }],
  ["an umlaut in one", "jurgen.muller1", { email: "x@example.com", name: "Jürgen Müller" }],
  ["the name backwards", "akslawok_annazuz", { email: "z@example.com", name: "Zuzanna Kowalska" }],
  ["the address with signs", "z.k0wal$ka.z", { email: "z.kowalska@example.com", name: "Z" }],
])("%s is refused", async (_name, password, person) => {
  await expect(strength.assertStrong("newPassword", password, person)).rejects.toMatchObject({ type: "WEAK_PASSWORD" });
});

test("a password that is strong without the name in it is taken", async () => {
  await choose("violet lovelace harbour");
  await choose("vi0let l0vel4ce harbour");
  const jose = { email: "jose@example.com", name: "José Núñez" };
  await strength.assertStrong("newPassword", "violet jose harbour ñandú", jose);
});

test.each([
  "correct horse",
  "correct horse battery staple",
  "pass caf\u00e9",
  "Tr0ub4dor&3",
  "\u{1f40e}\u{1f50b}\u{1f4ce}\u2714\u{1f40e}\u{1f50b}\u{1f4ce}!",
  "kZ8#vq2Lm",
])("%j is taken", async password => await choose(password));

test("the same password in another form of Unicode gets the same answer", async () => {
  await expect(choose("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11")).rejects.toMatchObject({
    type: "WEAK_PASSWORD",
  });
});

test("the slowest passwords cost a few times as much as a usual one, however long they are", async () => {
  const costOf = async (password: string) => {
    const times: number[] = [];
    for (let n = 0; n < 9; n++) {
      const from = process.cpuUsage();
      await choose(password).catch(() => {});
      const { user, system } = process.cpuUsage(from);
      times.push(user + system);
    }
    return Math.min(...times);
  };
  await choose("correct horse");
  const usual = await costOf("correct horse");
  const slowest = ["4@8({[<63!1|l0$5+7%2", "1qaz2wsx", "p4$$w0rd!", "thequickbrownfoxjumpsoverthelazydog"];
  // 9 ms of the processor to 3 ms; 540 ms without the bounds.
  for (const part of slowest) expect(await costOf(part.repeat(20).slice(0, 128))).toBeLessThan(20 * usual);
});
