import type { SqliteDatabase, SqlValue } from "@p2/budget-sqlite"
import { openDatabase } from "./open-database"

/** A connection whose disk can fail. */
export interface FaultyDatabase extends SqliteDatabase {
  /** Every statement fails. */
  down: boolean
  /** The next COMMIT is carried out and reported as failed. */
  loseAnswer: boolean
}

export function faultyDatabase(path: string): FaultyDatabase {
  const database = openDatabase(path)
  database.exec("PRAGMA journal_mode = WAL")
  const failure = () => Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR", rawCode: 10 })
  const check = () => {
    if (faulty.down) throw failure()
  }
  const checked =
    <T>(call: (...values: SqlValue[]) => T) =>
    (...values: SqlValue[]) => {
      check()
      return call(...values)
    }
  const faulty: FaultyDatabase = {
    down: false,
    loseAnswer: false,
    exec: (sql) => {
      check()
      const result = database.exec(sql)
      if (sql === "COMMIT" && faulty.loseAnswer) {
        faulty.loseAnswer = false
        throw failure()
      }
      return result
    },
    prepare: (sql) => {
      const statement = database.prepare(sql)
      return Object.create(statement, {
        run: { value: checked(statement.run.bind(statement)) },
        get: { value: checked(statement.get.bind(statement)) },
        all: { value: checked(statement.all.bind(statement)) },
        setReadBigInts: { value: modeOf(statement, "setReadBigInts") },
        safeIntegers: { value: modeOf(statement, "safeIntegers") },
      })
    },
    close: () => database.close(),
  }
  return faulty
}

/** Called on the statement itself: built-in methods reject any other `this`. */
function modeOf(statement: object, name: string): unknown {
  const mode = (statement as Record<string, unknown>)[name]
  return typeof mode === "function" ? mode.bind(statement) : undefined
}
