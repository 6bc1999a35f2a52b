/**
 * The features that decide about fields and are off in Kubernetes 1.36 unless somebody turns them on. What belongs to any other
 * feature of that version is on.
 */
export const featureGates = {
  ClusterTrustBundleProjection: false,
  ContainerStopSignals: false,
  CoordinatedLeaderElection: false,
  CrossNamespaceVolumeDataSource: false,
  DRAListTypeAttributes: false,
  DRANodeAllocatableResources: false,
  // Gone from upstream; its fields are still in the schema.
  DynamicKubeletConfig: false,
  GenericWorkload: false,
  ImageVolumeWithDigest: false,
  MaxUnavailableStatefulSet: false,
  PodCertificateRequest: false,
  SELinuxMount: false,
  VolumeLimitScaling: false,
} as const;

export type FeatureGate = keyof typeof featureGates;
