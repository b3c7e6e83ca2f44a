{{- define "triton-asr.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* Of (root, component): what selects a part's pods. */}}
{{- define "triton-asr.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "triton-asr.labels" -}}
{{ include "triton-asr.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "triton-asr.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end -}}

{{- define "triton-asr.tritonImage" -}}
{{- with .Values.triton.image -}}
{{- if .repository -}}
{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- else if $.Values.triton.gpus -}}
{{ fail "triton.image.repository: expected the image of the Dockerfile, which a Triton with GPUs needs" }}
{{- else -}}
{{ include "triton-asr.image" $ }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Who may come in has to be said. */}}
{{- define "triton-asr.checkAuth" -}}
{{- if and (not .Values.auth.existingSecret) (not .Values.auth.allowAnyone) -}}
{{ fail "auth: expected existingSecret, with the entries keys and internal, or allowAnyone: true" }}
{{- end -}}
{{- end -}}

{{/* A scaler has room between its bounds. */}}
{{- define "triton-asr.checkScaling" -}}
{{- range $part := list "gateway" "triton" -}}
{{- with (index $.Values $part).autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{ fail (printf "%s.autoscaling.minReplicas: expected at most maxReplicas, %v, got %v" $part .maxReplicas .minReplicas) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the init container installs is each once, and what the gateways need. */}}
{{- define "triton-asr.checkInstall" -}}
{{- $kinds := list -}}
{{- range .Values.models.install -}}
{{- if has .kind $kinds -}}
{{ fail (printf "models.install: expected each kind once, got %s twice" .kind) }}
{{- end -}}
{{- $kinds = append $kinds .kind -}}
{{- end -}}
{{- $needed := list "vad" .Values.gateway.model -}}
{{- if eq .Values.gateway.model "paraformer" -}}
{{- $needed = append $needed "punctuation" -}}
{{- end -}}
{{- if not (regexMatch "--service\\b" (join " " .Values.gateway.options)) -}}
{{- $needed = append $needed (.Values.gateway.onlineModel | replace "streaming_paraformer" "paraformer-online") -}}
{{- end -}}
{{- range $needed -}}
{{- if not (has . $kinds) -}}
{{ fail (printf "models.install: expected %s, which the gateways need, got %s" . (join ", " $kinds)) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "triton-asr.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "triton-asr.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The key between gateways and Triton. */}}
{{- define "triton-asr.internalKey" -}}
{{- with .Values.auth.existingSecret -}}
- name: TRITON_ASR_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: internal
{{- end -}}
{{- end -}}

{{/* Where spans go (docs/tracing.md); Triton records what gateways and other callers do. */}}
{{- define "triton-asr.traces" -}}
{{- with .Values.monitoring.traces -}}
{{- if .endpoint -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .share | quote }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The way there. */}}
{{- define "triton-asr.tracesEgress" -}}
{{- with .Values.monitoring.traces.endpoint -}}
{{- $port := regexFind ":[0-9]+" (trimPrefix "https://" (trimPrefix "http://" .)) | trimPrefix ":" -}}
- ports:
    - port: {{ $port | default (ternary "443" "80" (hasPrefix "https://" .)) | int }}
  to:
    {{- include "triton-asr.monitoring" $ | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* Of (root, component): not all on one node, where there are several. */}}
{{- define "triton-asr.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "triton-asr.selector" . | nindent 6 }}
{{- end -}}

{{/* Where the gateways find Triton. */}}
{{- define "triton-asr.tritonUrl" -}}
grpc://{{ include "triton-asr.fullname" . }}-triton-pods:8001
{{- end -}}
