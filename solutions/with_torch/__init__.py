"""The same layers as ``torch.nn.Module``, from elementary operations, on any device: one module a concept."""
