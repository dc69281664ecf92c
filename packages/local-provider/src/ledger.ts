/** Units of one kind in a bill, such as cache writes or web searches. */
export interface BilledUnits {
  kind: string
  count: number
  picoUsdPerUnit: number
}

/** One call as this provider would bill it. */
export interface BilledCall {
  /** The generation id that the caller sees. */
  id: string
  model: string
  api: "openai" | "openrouter" | "anthropic" | "gemini"
  /** All input tokens, the cached ones included. */
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  /** Exact cost in pico-USD (1e-12). */
  picoUsd: bigint
  /** `picoUsd` in nano-USD, rounded up. */
  nanoUsd: number
  /** Whether the response reported the usage. Set when its last byte was handed to the socket. */
  reported: boolean
  status: number
  /** `X-Client-Request-Id`, which identifies the call even if no response arrived. */
  clientRequestId: string | undefined
  /** The service tier that served the call, if the response reports it. */
  serviceTier?: string | undefined
  /** The bill by kind of unit, if the wire format has more kinds than input, cached input and output. */
  units?: readonly BilledUnits[]
}

/** Prices per token in pico-USD. */
export interface Rates {
  input: number
  output: number
  cacheRead: number
}

/** The calls that this provider would have billed, for comparison with receipts. It shares no arithmetic with `@p2/pricing`. */
export class ProviderLedger {
  readonly calls: BilledCall[] = []

  /** Records a call and returns its line, which may change while a stream runs. */
  bill(call: Omit<BilledCall, "picoUsd" | "nanoUsd">, rates: Rates): BilledCall {
    const line: BilledCall = { ...call, picoUsd: 0n, nanoUsd: 0 }
    this.calls.push(line)
    this.reprice(line, rates)
    return line
  }

  reprice(line: BilledCall, rates: Rates): void {
    const fresh = line.promptTokens - line.cachedTokens
    line.picoUsd =
      BigInt(fresh) * BigInt(rates.input) +
      BigInt(line.cachedTokens) * BigInt(rates.cacheRead) +
      BigInt(line.completionTokens) * BigInt(rates.output)
    line.nanoUsd = Number((line.picoUsd + 999n) / 1000n)
  }

  /** Records a call that is billed by kind of unit. */
  billUnits(call: Omit<BilledCall, "picoUsd" | "nanoUsd" | "units">, units: readonly BilledUnits[]): BilledCall {
    const picoUsd = units.reduce((sum, { count, picoUsdPerUnit }) => sum + BigInt(count) * BigInt(picoUsdPerUnit), 0n)
    const line: BilledCall = { ...call, units, picoUsd, nanoUsd: Number((picoUsd + 999n) / 1000n) }
    this.calls.push(line)
    return line
  }

  /** Sets the cost of a line to zero, because nothing was generated. */
  withdraw(line: BilledCall): void {
    line.promptTokens = 0
    line.cachedTokens = 0
    line.completionTokens = 0
    line.units = []
    line.picoUsd = 0n
    line.nanoUsd = 0
  }

  /** Sum of the calls in nano-USD, each rounded up separately, as in receipts. */
  get totalNanoUsd(): number {
    return this.calls.reduce((sum, call) => sum + call.nanoUsd, 0)
  }

  find(id: string): BilledCall | undefined {
    return this.calls.find((call) => call.id === id)
  }

  clear(): void {
    this.calls.length = 0
  }
}
