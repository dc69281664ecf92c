import { InvalidArgumentError } from "@p2/core"

/** Options by the argument of the library that they set. */
const OPTIONS: Readonly<Record<string, string>> = {
  "limits[0].limit": "--limit",
  "limits[0].per": "--per",
  "limits[0].timeZone": "--time-zone",
  "subject.userId": "--user",
  "subject.clientId": "--client",
  "subject.model": "--model",
  per: "--per",
  amount: "--amount",
  idempotencyKey: "--idempotency-key",
}

/** Runs `work`, whose errors then name the option of the command, not the argument of the library. */
export async function nameOptions<T>(
  work: () => Promise<T>,
  options: Readonly<Record<string, string>> = OPTIONS,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!InvalidArgumentError.isInstance(error)) throw error
    const { argument, expected, message } = error
    const option = options[argument]
    if (option === undefined) throw error
    throw new InvalidArgumentError(
      option,
      expected,
      undefined,
      message.replace(`\`${argument}\``, () => `\`${option}\``),
    )
  }
}
