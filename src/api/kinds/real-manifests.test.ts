import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { resourceFacts } from "../gen/resources.js";
import type { JsonObject } from "../object.js";
import { isJsonObject } from "./strategy.js";
import { created } from "./testing.js";

/** Objects as they are met in real clusters, each with fields that a rule too strict would refuse. */
const manifests = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system, uid: u}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}
  template:
    metadata: {labels: {k8s-app: calico-node}, annotations: {scheduler.alpha.kubernetes.io/critical-pod: ""}}
    spec:
      nodeSelector: {kubernetes.io/os: linux}
      hostNetwork: true
      tolerations: [{effect: NoSchedule, operator: Exists}, {key: CriticalAddonsOnly, operator: Exists}, {effect: NoExecute, operator: Exists}]
      serviceAccountName: calico-node
      terminationGracePeriodSeconds: 0
      priorityClassName: system-node-critical
      initContainers:
      - name: install-cni
        image: docker.io/calico/cni:v3
        command: ["/opt/cni/bin/install"]
        envFrom: [{configMapRef: {name: kubernetes-services-endpoint, optional: true}}]
        env: [{name: CNI_CONF_NAME, value: 10-calico.conflist}, {name: CNI_NETWORK_CONFIG, valueFrom: {configMapKeyRef: {name: calico-config, key: cni_network_config}}}, {name: KUBERNETES_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        volumeMounts: [{mountPath: /host/opt/cni/bin, name: cni-bin-dir}]
        securityContext: {privileged: true}
      containers:
      - name: calico-node
        image: docker.io/calico/node:v3
        resources: {requests: {cpu: 250m}}
        lifecycle: {preStop: {exec: {command: ["/bin/calico-node", "-shutdown"]}}}
        livenessProbe: {exec: {command: [a]}, periodSeconds: 10, initialDelaySeconds: 10, failureThreshold: 6, timeoutSeconds: 10}
        volumeMounts: [{mountPath: /var/run/nodeagent, name: policysync}, {name: cni-bin-dir, mountPath: /x, readOnly: false, mountPropagation: Bidirectional}]
        securityContext: {privileged: true}
      volumes:
      - {name: cni-bin-dir, hostPath: {path: /opt/cni/bin}}
      - {name: policysync, hostPath: {type: DirectoryOrCreate, path: /var/run/nodeagent}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns, kubernetes.io/name: "CoreDNS"}}
spec:
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      priorityClassName: system-cluster-critical
      serviceAccountName: coredns
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchExpressions: [{key: k8s-app, operator: In, values: ["kube-dns"]}]}, topologyKey: kubernetes.io/hostname}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {labelSelector: {matchLabels: {a: b}}, topologyKey: kubernetes.io/hostname}}]}}
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {k8s-app: kube-dns}}, matchLabelKeys: [pod-template-hash]}]
      containers:
      - name: coredns
        image: registry.k8s.io/coredns/coredns:v1.11.1
        resources: {limits: {memory: 170Mi}, requests: {cpu: 100m, memory: 70Mi}}
        args: ["-conf", "/etc/coredns/Corefile"]
        volumeMounts: [{name: config-volume, mountPath: /etc/coredns, readOnly: true}]
        ports: [{containerPort: 53, name: dns, protocol: UDP}, {containerPort: 53, name: dns-tcp, protocol: TCP}, {containerPort: 9153, name: metrics}]
        livenessProbe: {httpGet: {path: /health, port: 8080, scheme: HTTP}, initialDelaySeconds: 60, timeoutSeconds: 5, successThreshold: 1, failureThreshold: 5}
        readinessProbe: {httpGet: {path: /ready, port: metrics}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}, readOnlyRootFilesystem: true}
      dnsPolicy: Default
      volumes: [{name: config-volume, configMap: {name: coredns, items: [{key: Corefile, path: Corefile}]}}]
---
apiVersion: v1
kind: Pod
metadata: {name: full, namespace: d, annotations: {kubernetes.io/config.mirror: x, kubernetes.io/config.source: file}}
spec:
  nodeName: node-1
  serviceAccountName: default
  hostNetwork: true
  securityContext: {seccompProfile: {type: RuntimeDefault}, runAsNonRoot: true, runAsUser: 1000, fsGroup: 0, sysctls: [{name: kernel.shm_rmid_forced, value: "1"}]}
  hostAliases: [{ip: "127.0.0.1", hostnames: [foo.local]}]
  dnsConfig: {nameservers: [1.2.3.4], searches: [ns1.svc.cluster-domain.example, "_x.local"], options: [{name: ndots, value: "2"}, {name: edns0}]}
  containers:
  - name: kube-apiserver
    image: registry.k8s.io/kube-apiserver@sha256:0123
    startupProbe: {httpGet: {host: 127.0.0.1, path: /livez, port: 6443, scheme: HTTPS}, failureThreshold: 24}
    env: [{name: LIM, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}, {name: MEM, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}}, {name: A, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['example.com/Foo']"}}}, {name: E, value: ""}]
    volumeMounts: [{name: kube-api-access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}, {name: dw, mountPath: /etc/podinfo, subPathExpr: $(A)}]
  volumes:
  - name: kube-api-access
    projected:
      sources:
      - serviceAccountToken: {expirationSeconds: 3607, path: token}
      - configMap: {items: [{key: ca.crt, path: ca.crt}], name: kube-root-ca.crt}
      - downwardAPI: {items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]}
  - name: dw
    downwardAPI: {items: [{path: "labels", fieldRef: {fieldPath: metadata.labels}}, {path: cpu, resourceFieldRef: {containerName: kube-apiserver, resource: limits.cpu}}]}
  - {name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
  - {name: img, image: {reference: "quay.io/x:v1"}}
  - {name: csi, csi: {driver: inline.storage.kubernetes.io, volumeAttributes: {foo: bar}}}
  - {name: mem, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
  - {name: nfs, nfs: {server: 10.0.0.1, path: /x}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: pi, namespace: d, uid: u1}
spec:
  completions: 5
  parallelism: 3
  completionMode: Indexed
  backoffLimit: 6
  podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: main, operator: In, values: [42]}}, {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}
  successPolicy: {rules: [{succeededIndexes: "0,2-3", succeededCount: 1}]}
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: "bash:5"}]}}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, annotations: {prometheus.io/port: "9153"}}
spec: {selector: {k8s-app: kube-dns}, clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP, targetPort: dns}]}
---
apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {ports: [{name: https, port: 443, protocol: TCP, targetPort: 6443}]}
---
apiVersion: v1
kind: Service
metadata: {name: lb, namespace: default}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerSourceRanges: [10.0.0.0/8], sessionAffinity: ClientIP, ports: [{port: 80, targetPort: http, appProtocol: kubernetes.io/ws}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, namespace: d}
spec:
  serviceName: nginx
  replicas: 2
  selector: {matchLabels: {app: nginx}}
  template: {metadata: {labels: {app: nginx}}, spec: {containers: [{name: nginx, image: "nginx:slim", ports: [{containerPort: 80, name: web}], volumeMounts: [{name: www, mountPath: /usr/share/nginx/html}]}], volumes: [{name: www, emptyDir: {}}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv}
spec: {capacity: {storage: 10Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /mnt}, storageClassName: manual, claimRef: {namespace: a, name: b}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard}
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ing, namespace: d}
spec: {ingressClassName: nginx, tls: [{hosts: ["*.foo.com"], secretName: x}], rules: [{host: "*.foo.com", http: {paths: [{path: /testpath, pathType: Prefix, backend: {service: {name: test, port: {number: 80}}}}]}}, {http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: t, port: {name: http}}}}]}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np, namespace: d}
spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}}, {namespaceSelector: {matchLabels: {p: q}}, podSelector: {}}], ports: [{protocol: TCP, port: 6379, endPort: 6400}, {port: dns, protocol: UDP}]}], egress: [{}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: pdb, namespace: d}
spec: {minAvailable: 50%, selector: {matchLabels: {a: b}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hpa, namespace: d}
spec:
  maxReplicas: 10
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  - {type: Pods, pods: {metric: {name: packets}, target: {type: AverageValue, averageValue: 1k}}}
  - {type: Object, object: {metric: {name: rps}, describedObject: {apiVersion: v1, kind: Service, name: s}, target: {type: Value, value: 10k}}}
  - {type: External, external: {metric: {name: q}, target: {type: AverageValue, averageValue: "30"}}}
  - {type: ContainerResource, containerResource: {name: cpu, container: app, target: {type: Utilization, averageUtilization: 60}}}
  behavior: {scaleDown: {policies: [{type: Pods, value: 4, periodSeconds: 60}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:coredns"}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: "true"}}]}
rules: [{apiGroups: ["*"], resources: ["pods/log"], verbs: ["*"]}, {nonResourceURLs: ["/healthz"], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:coredns"}
subjects: [{kind: ServiceAccount, name: coredns, namespace: kube-system}, {kind: Group, name: "system:masters", apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: w}
webhooks: [{name: a.b.c, admissionReviewVersions: [v1, v1beta1], sideEffects: None, clientConfig: {caBundle: Zm9v, service: {namespace: a, name: b, path: /x}}, rules: [{operations: [CREATE, UPDATE], apiGroups: [""], apiVersions: [v1], resources: [pods, "pods/*"]}], matchConditions: [{name: x, expression: "true"}]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec: {failurePolicy: Fail, matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]}, validations: [{expression: "object.spec.replicas <= 5"}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec: {group: stable.example.com, scope: Namespaced, names: {plural: crontabs, kind: CronTab, shortNames: [ct]}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}, subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}}]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec: {service: {name: metrics-server, namespace: kube-system}, group: metrics.k8s.io, version: v1beta1, insecureSkipTLSVerify: true, groupPriorityMinimum: 100, versionPriority: 100}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: system-node-critical}
value: 2000001000
---
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24], taints: [{key: node.kubernetes.io/not-ready, effect: NoSchedule}, {key: node.kubernetes.io/not-ready, effect: NoExecute}]}
status: {capacity: {cpu: "2", memory: 4030456Ki, ephemeral-storage: 61255492Ki, hugepages-2Mi: "0", pods: "110"}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: d}
spec: {hard: {pods: "4", requests.cpu: "1", limits.memory: 2Gi, count/deployments.apps: "2", requests.nvidia.com/gpu: "4", "gold.storageclass.storage.k8s.io/requests.storage": 5Gi}, scopeSelector: {matchExpressions: [{operator: In, scopeName: PriorityClass, values: [high]}]}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: q, namespace: d}
spec: {limits: [{type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 500m}, max: {cpu: "1"}, min: {cpu: 100m}}, {type: PersistentVolumeClaim, max: {storage: 2Gi}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: e, namespace: d}
addressType: IPv4
ports: [{name: http, protocol: TCP, port: 80}, {name: "", port: 81}]
endpoints: [{addresses: [10.1.2.3], conditions: {ready: true}, hostname: pod-1, nodeName: node-1, zone: us-west2-a}]
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: gvisor}
handler: runsc
overhead: {podFixed: {memory: 120Mi, cpu: 250m}}
---
apiVersion: v1
kind: Event
metadata: {name: e.1, namespace: default}
involvedObject: {kind: Node, name: n1, uid: n1}
reason: X
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: leader-election}
spec: {type: Limited, limited: {nominalConcurrencyShares: 10, limitResponse: {type: Queue, queuing: {queues: 16}}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: exempt}
spec: {matchingPrecedence: 1, priorityLevelConfiguration: {name: exempt}, rules: [{subjects: [{kind: Group, group: {name: "system:masters"}}], resourceRules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true}], nonResourceRules: [{verbs: ["*"], nonResourceURLs: ["*"]}]}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: hello, namespace: d}
spec: {schedule: "0 0 13 * 5", timeZone: Etc/UTC, jobTemplate: {spec: {template: {spec: {containers: [{name: h, image: "busybox:1.28"}], restartPolicy: OnFailure}}}}}
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: hostpath.csi.k8s.io}
spec: {volumeLifecycleModes: [Persistent, Ephemeral], fsGroupPolicy: File}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: n1}
spec: {drivers: [{name: hostpath.csi.k8s.io, nodeID: n1, topologyKeys: [topology.hostpath.csi/node]}]}
`;

function documents(): readonly JsonObject[] {
  return parseAllDocuments(manifests)
    .map((document): unknown => document.toJS())
    .filter(isJsonObject);
}

function keyOf(object: JsonObject): string {
  const fact = resourceFacts.find(
    ({ group, version, kind }) =>
      kind === object["kind"] && (group === "" ? version : `${group}/${version}`) === object["apiVersion"],
  );
  if (fact === undefined) throw new Error(`no resource for ${String(object["kind"])}`);
  return `${fact.group}/${fact.resource}`;
}

describe("objects of real clusters are taken", () => {
  it.each(documents().map((object) => [keyOf(object), JSON.stringify(object["metadata"]), object] as const))(
    "%s %s",
    (key, _metadata, object) => {
      expect(created(key, object).errors).toEqual([]);
    },
  );
});
