import { defineAdapterSuite } from "../../budget/test/adapters/define-adapter-suite"
import { contractFactory } from "./support/contract-factory"

defineAdapterSuite("postgresStore", contractFactory())
