"""Grade on the workers of more than one machine: by hand, on Slurm, on Kubernetes.

``certificates`` makes what scheduler, workers and coordinator know each other by; ``scheduler`` and ``worker`` are the
two programs that run on the machines, ``slurm`` has Slurm start the workers, and ``kubernetes.yaml`` with its
``Dockerfile`` has Kubernetes start both. Nothing here knows an answer.
"""
