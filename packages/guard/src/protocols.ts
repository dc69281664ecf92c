export type { Meter, MeterReading, ReportedError, ReportedUsage, WireEvent } from "./protocols/meter"
export type {
  CallDescription,
  PricedCall,
  Protocol,
  ProtocolContext,
  ProviderCall,
  RejectionReason,
} from "./protocols/protocol"
