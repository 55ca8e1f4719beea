/** Whether an internet address is in a list of addresses and networks, of both kinds (RFC 4632, RFC 4291). */

/** An address as one number and its width; null when the text is none. */
function addressOf(text: string): { value: bigint; bits: 32 | 128 } | null {
  return text.includes(":") ? addressOfGroups(text) : addressOfOctets(text);
}

function addressOfOctets(text: string): { value: bigint; bits: 32 } | null {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255)) return null;
  return { value: octets.reduce((value, octet) => value * 256n + BigInt(octet), 0n), bits: 32 };
}

function addressOfGroups(text: string): { value: bigint; bits: 32 | 128 } | null {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text);
  if (mapped?.[1] !== undefined) return addressOfOctets(mapped[1]);
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [left = [], right = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - left.length - right.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return { value: groups.reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n), bits: 128 };
}

/** True when `text` is an address in one of the networks (`a.b.c.d`, `a.b.c.d/27`, `2a02:5180::/32`). */
export function isAddressIn(text: string, networks: readonly string[]): boolean {
  const address = addressOf(text);
  if (address === null) return false;
  return networks.some((entry) => {
    const [base = "", prefix] = entry.split("/", 2);
    const network = addressOf(base);
    if (network === null || network.bits !== address.bits) return false;
    const length = prefix === undefined ? network.bits : Number(prefix);
    if (!Number.isInteger(length) || length < 0 || length > network.bits) return false;
    const shift = BigInt(network.bits - length);
    return address.value >> shift === network.value >> shift;
  });
}
