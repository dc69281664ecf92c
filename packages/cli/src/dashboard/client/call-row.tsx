import type { CallView } from "../view"
import { costSourceName, dayOf, denialReason, duration, fullTime, integer, short, timeOfDay, words } from "./format"
import { Money } from "./money"

const STATUSES: Readonly<Record<string, { text: string; tone: string }>> = {
  succeeded: { text: "Succeeded", tone: "good" },
  failed: { text: "Failed", tone: "bad" },
  denied: { text: "Denied", tone: "warn" },
  expired: { text: "Expired", tone: "bad" },
  released: { text: "Not sent", tone: "plain" },
}
const DAY_MS = 86_400_000

export function CallRow(props: { call: CallView; isOpen: boolean; onToggle: () => void }) {
  const { call, isOpen, onToggle } = props
  const { text, tone } = STATUSES[call.status] ?? { text: call.status, tone: "plain" }
  const who = whoOf(call)
  const receiptId = `receipt-${call.id}`
  const tokens = call.tokens.filter(([kind]) => kind === "inputTokens" || kind === "outputTokens")
  const time = Date.now() - call.at > DAY_MS ? `${dayOf(call.at)} ${timeOfDay(call.at)}` : timeOfDay(call.at)
  return (
    <>
      <tr class={`call ${isOpen ? "is-open" : ""}`} data-call={call.id} onClick={onToggle}>
        <td class="call-time">
          <time dateTime={new Date(call.at).toISOString()} title={fullTime(call.at)}>
            {time}
          </time>
        </td>
        <td class="call-who">{who === "" ? <span class="muted">–</span> : who}</td>
        <td class="call-model">{call.modelUsed ?? call.model}</td>
        <td class="call-status">
          <span class={`badge badge-${tone}`}>
            {text}
            {call.count > 1 ? ` × ${integer(call.count)}` : ""}
          </span>
          {call.inDoubt ? <span class="badge badge-bad">In doubt</span> : null}
          {call.status === "denied" ? <span class="call-reason">{denialReason(call)}</span> : null}
          {call.status === "failed" && call.errorCode ? <span class="call-reason">{call.errorCode}</span> : null}
        </td>
        <td class="number call-tokens">
          {tokens.length === 0 ? "–" : short(tokens.reduce((sum, [, count]) => sum + count, 0))}
        </td>
        <td class="number call-cost">{call.status === "denied" ? "–" : <Money nanoUsd={call.costNanoUsd} />}</td>
        <td class="call-open">
          <button
            type="button"
            class="icon-button"
            aria-expanded={isOpen}
            aria-controls={isOpen ? receiptId : undefined}
            aria-label={`Receipt of ${call.modelUsed ?? call.model} at ${timeOfDay(call.at)}`}
            onClick={(event) => {
              event.stopPropagation()
              onToggle()
            }}
          >
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <path d="M6 9l6 6 6-6" />
            </svg>
          </button>
        </td>
      </tr>
      {isOpen ? (
        <tr class="receipt-row" id={receiptId}>
          <td colSpan={7}>
            <Receipt call={call} />
          </td>
        </tr>
      ) : null}
    </>
  )
}

function whoOf({ userId, clientId, tags }: CallView): string {
  return userId ?? clientId ?? tags.map(([name, value]) => `${name}=${value}`).join(", ")
}

function Receipt({ call }: { call: CallView }) {
  const { costNanoUsd, tableCostNanoUsd } = call
  return (
    <div class="receipt">
      {call.inDoubt ? (
        <p class="receipt-note">
          In doubt: the call was sent, and its usage is unknown, so its upper bound was charged. Compare it with the
          provider's bill.
        </p>
      ) : null}
      {call.status === "denied" ? (
        <p class="receipt-note">
          {denialReason(call)}.{" "}
          {call.count === 1 ? "The call was not sent." : `${integer(call.count)} calls were not sent.`}
        </p>
      ) : null}
      <dl>
        <Field name="Time">{fullTime(call.at)}</Field>
        <Field name="Request">
          {call.requestId}, attempt {call.attempt}
        </Field>
        <Field name="User">{call.userId}</Field>
        <Field name="Client">{call.clientId}</Field>
        {call.tags.map(([name, value]) => (
          <Field name={name} key={name}>
            {value}
          </Field>
        ))}
        <Field name="Provider">{call.provider}</Field>
        <Field name="Model">
          {call.modelUsed === null || call.modelUsed === call.model
            ? call.model
            : `${call.model}, answered by ${call.modelUsed}`}
        </Field>
        <Field name="Mode">{call.mode}</Field>
        <Field name="Error">{call.status === "denied" ? null : call.errorCode}</Field>
        <Field name="Duration">{call.durationMs === null ? null : duration(call.durationMs)}</Field>
        <Field name="Provider id">{call.generationId}</Field>
        <Field name="Corrected">{call.revision === 0 ? null : `${call.revision} ×`}</Field>
      </dl>
      {call.status === "denied" ? null : (
        <table class="receipt-sums">
          <caption class="visually-hidden">What the call was charged</caption>
          <tbody>
            {call.tokens.map(([kind, count]) => (
              <tr key={kind}>
                <th scope="row">{words(kind)}</th>
                <td class="number">{integer(count)}</td>
              </tr>
            ))}
            {call.costs.map(([kind, cost]) => (
              <tr key={kind}>
                <th scope="row">cost of {words(kind)}</th>
                <td class="number">
                  <Money nanoUsd={cost} />
                </td>
              </tr>
            ))}
            <tr>
              <th scope="row">reserved (upper bound)</th>
              <td class="number">
                <Money nanoUsd={call.reservedNanoUsd} />
              </td>
            </tr>
            <tr class="receipt-sum">
              <th scope="row">
                charged <span class="muted">({costSourceName(call.costSource)})</span>
              </th>
              <td class="number">
                <Money nanoUsd={costNanoUsd} />
              </td>
            </tr>
            {tableCostNanoUsd === null || tableCostNanoUsd === costNanoUsd ? null : (
              <tr>
                <th scope="row">by the price table</th>
                <td class="number">
                  <Money nanoUsd={tableCostNanoUsd} />
                </td>
              </tr>
            )}
          </tbody>
        </table>
      )}
    </div>
  )
}

function Field({ name, children }: { name: string; children: preact.ComponentChildren }) {
  if (children === null) return null
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
