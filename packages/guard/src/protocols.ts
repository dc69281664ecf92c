export type { Meter, MeterReading, ReportedError, ReportedUsage, WireEvent } from "./protocols/meter"
export type {
  CallDescription,
  PricedCall,
  Protocol,
  ProtocolContext,
  ProviderCall,
  Rejection,
  RejectionReason,
  ResumedCall,
} from "./protocols/protocol"
