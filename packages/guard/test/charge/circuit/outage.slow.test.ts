import { describeOutages, OUTAGES } from "./outage-cases"

// The fast test has the first one.
describeOutages({ sqlite: OUTAGES.slice(1), redis: OUTAGES })
