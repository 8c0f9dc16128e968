// Reads {"secret","body","signature"} in base64, a line each, and writes the
// signature that node makes and whether the given one is the same.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, body, signature } = JSON.parse(line);
  const raw = (text) => Buffer.from(text, 'base64');
  const ours = 'sha256=' + createHmac('sha256', raw(secret)).update(raw(body)).digest('hex');
  const given = raw(signature);
  console.log(ours, given.length === ours.length && timingSafeEqual(given, Buffer.from(ours)));
}
