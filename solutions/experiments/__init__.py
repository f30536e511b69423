"""Everything that trains: the experiments whose results the chapters print, and how they are run and kept.

``python -m solutions.experiments list`` names them. Each result lies in ``chapters/results/NAME.json`` with the
command, the seeds, the versions, the date and a fingerprint of the code behind it.
"""
