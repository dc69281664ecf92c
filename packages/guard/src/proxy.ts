export { createProxy, type ProxyHandler } from "./proxy/create-proxy"
export { acceptToken } from "./proxy/credentials"
export type { Authenticate, ProxyCaller, ProxyOptions } from "./proxy/proxy-options"
export type { UpstreamOptions } from "./proxy/upstream"
