import { type LoadedScript, loadedScript } from "./redis-connection"
import { adjustScript } from "./scripts/adjust"
import { extendScript } from "./scripts/extend"
import { ledgerPruneScript } from "./scripts/ledger-prune"
import { ledgerRecordScript } from "./scripts/ledger-record"
import { ledgerScanScript } from "./scripts/ledger-scan"
import { ledgerTextsScript } from "./scripts/ledger-texts"
import { readScript } from "./scripts/read"
import { reserveScript } from "./scripts/reserve"
import type { ScriptSettings } from "./scripts/script"
import { settleScript } from "./scripts/settle"
import { sweepScript } from "./scripts/sweep"

/** The scripts of one store. */
export interface StoreScripts {
  reserve: LoadedScript
  settle: LoadedScript
  extend: LoadedScript
  read: LoadedScript
  adjust: LoadedScript
  sweep: LoadedScript
  ledgerRecord: LoadedScript
  ledgerScan: LoadedScript
  ledgerPrune: LoadedScript
  ledgerTexts: LoadedScript
}

export function loadedScripts(settings: ScriptSettings & { ledger: boolean }): StoreScripts {
  return {
    reserve: loadedScript(reserveScript(settings)),
    settle: loadedScript(settleScript(settings)),
    extend: loadedScript(extendScript()),
    read: loadedScript(readScript()),
    adjust: loadedScript(adjustScript(settings)),
    sweep: loadedScript(sweepScript(settings)),
    ledgerRecord: loadedScript(ledgerRecordScript(settings)),
    ledgerScan: loadedScript(ledgerScanScript(settings)),
    ledgerPrune: loadedScript(ledgerPruneScript()),
    ledgerTexts: loadedScript(ledgerTextsScript()),
  }
}
