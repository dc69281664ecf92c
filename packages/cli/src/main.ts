#!/usr/bin/env node
import { hideSqliteWarning } from "./output/hide-sqlite-warning"
import { createProgram } from "./program"
import { runProgram } from "./run-program"

hideSqliteWarning()
await runProgram(createProgram(), process.argv)
