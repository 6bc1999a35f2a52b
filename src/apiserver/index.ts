export type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission/admission.js";
export type { AuditOptions } from "./audit/auditor.js";
export type {
  AuditBackend,
  AuditBatchOptions,
  AuditDelivery,
  AuditMode,
  AuditTruncateOptions,
} from "./audit/backend.js";
export type { AuditEvent, AuditLevel, AuditObject, AuditObjectReference, AuditStage } from "./audit/event.js";
export { AuditLog, type AuditLogFormat, type AuditLogOptions, type AuditLogOutput } from "./audit/log-backend.js";
export { type AuditPolicy, type AuditResources, type AuditRule, parseAuditPolicy } from "./audit/policy.js";
export { RotatingFile, type RotatingFileOptions } from "./audit/rotating-file.js";
export { AuditWebhook, type AuditWebhookOptions } from "./audit/webhook-backend.js";
export { forAudiences } from "./authn/audiences.js";
export type {
  AuthenticatedUser,
  AuthenticationRequest,
  Authenticator,
  TokenAuthenticator,
} from "./authn/authenticator.js";
export { staticTokenAuthenticator } from "./authn/bearer.js";
export { bootstrapTokenAuthenticator } from "./authn/bootstrap-tokens.js";
export { type AuthenticationFile, authenticationFile, jwtAuthenticators } from "./authn/jwt/authentication-file.js";
export type { AuthenticationConfiguration, JwtConfiguration } from "./authn/jwt/configuration.js";
export { jwtAuthenticator } from "./authn/jwt/jwt-authenticator.js";
export { compileAuthentication, readAuthenticationConfiguration } from "./authn/jwt/read-configuration.js";
export type { AuthenticationContext, AuthenticationOptions } from "./authn/server-authentication.js";
export { parseTokenFile } from "./authn/token-file.js";
export { type TokenWebhookOptions, webhookTokenAuthenticator } from "./authn/token-webhook.js";
export { type AnonymousOptions, unionAuthenticator } from "./authn/union.js";
export { alwaysAllow, alwaysDeny } from "./authz/always.js";
export { unionAuthorizer } from "./authz/attributes.js";
export type {
  AuthorizationAttributes,
  AuthorizationDecision,
  Authorizer,
  ResolvedRules,
} from "./authz/authorizer.js";
export type {
  AuthorizationConfiguration,
  AuthorizerConfiguration,
  WebhookConfiguration,
} from "./authz/configuration.js";
export { readAuthorizationConfiguration } from "./authz/configuration.js";
export { type AuthorizationFile, authorizationFile, configuredAuthorizers } from "./authz/configured.js";
export type { AuthorizationContext } from "./authz/default-authorizer.js";
export { type WebhookAuthorizerOptions, webhookAuthorizer } from "./authz/webhook.js";
export type { ConvertFunction, ConvertObjects, CustomResourcesOptions } from "./crd/index.js";
export { CustomResources, crds } from "./crd/index.js";
export {
  type EncryptionKey,
  type EncryptionProvider,
  type EncryptionRule,
  parseEncryptionConfiguration,
} from "./encryption/configuration.js";
export type { EncryptedStore } from "./encryption/encrypted-store.js";
export { encryptedStore } from "./encryption/make-store.js";
export { type ReloadOptions, reloadEncryption } from "./encryption/reload.js";
export type { InFlightLimits } from "./http/in-flight.js";
export { type WebhookConnection, WebhookError, webhookClient } from "./outbound/webhook.js";
export { type OwnResource, ownResource } from "./own/own-resource.js";
export type {
  ResourceStorage,
  StorageEvent,
  StorageKey,
  StorageList,
  StorageObject,
  StorageRequest,
  StorageScope,
  StorageWatch,
} from "./own/resource-storage.js";
export type { WriteChange, WriteHook } from "./registry/context.js";
export type {
  RequestHandler,
  ServerRequest,
  ServerResult,
  StoredEvent,
  StoredList,
  StoredObject,
} from "./request.js";
export { ResourceTable } from "./resource-table.js";
export { kubernetesVersion, SecuredApiServer, type SecuredApiServerOptions } from "./secured-api-server.js";
export { ApiServer, type ApiServerOptions, type VirtualResource } from "./server.js";
export { defaultServiceCidr, type ServiceHooksOptions, serviceHooks } from "./services/service-hooks.js";
