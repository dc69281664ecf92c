import { defineDatabaseSuite } from "../../budget/test/adapters/define-adapter-suite"
import { contractFactory } from "./support/contract-factory"

defineDatabaseSuite("postgresStore", contractFactory())
