import { defineAdapterFuzz } from "../../budget/test/adapters/define-adapter-suite"
import { contractFactory } from "./support/contract-factory"

defineAdapterFuzz("postgresStore", contractFactory())
