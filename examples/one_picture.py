import startrack

for face in startrack.read_faces("portrait.jpg").tracks:
    print(face.id, face.landmarks.presence, face.landmarks.points)
